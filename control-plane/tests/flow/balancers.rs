//! Boxes that come through a load balancer.

use crate::support::{Fixture, device_channel_by, enroll_over, learn_roots, with_token};
use anyhow::Result;
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;
use ppp::v2::{Builder, Command, IPv4, Protocol, Version};
use rcgen::KeyPair;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tonic::transport::Endpoint;

const BALANCER: [u8; 4] = [127, 0, 0, 8];
const HOME: [u8; 4] = [203, 0, 113, 7];

/// Connects as the balancer does for a box at home.
async fn dial(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((BALANCER, 0)))?;
    let mut stream = socket.connect(address).await?;
    let addresses = IPv4::new(HOME, BALANCER, 4711, 8443);
    let header = Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, addresses).build()?;
    stream.write_all(&header).await?;
    Ok(stream)
}

#[tokio::test]
async fn a_box_behind_a_listed_balancer_is_seen_where_it_is() -> Result<()> {
    let fixture = Fixture::start_with(|config| {
        config.device_balancers = vec![std::net::IpAddr::from(BALANCER).into()];
    })
    .await?;
    let address = fixture.device_address();
    let roots = learn_roots(&fixture).await?;
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = device_channel_by(endpoint, move || dial(address), &roots, None).await?;
    let mut claims = ClaimServiceClient::new(fixture.public().await?);
    let mut seen = None;
    let key = KeyPair::generate()?;
    let answer = enroll_over(channel, &key, &key, "", "cellar", async |code| {
        let found = claims.look_up_claim(with_token(fleet::LookUpClaimRequest { code: code.clone() })).await;
        seen = found.ok().and_then(|found| found.into_inner().claim).map(|claim| claim.source_address);
        let _ended_by_the_refusal_below = claims.deny_claim(with_token(fleet::DenyClaimRequest { code })).await;
    })
    .await?;
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    assert_eq!(seen.as_deref(), Some("203.0.113.7"));
    fixture.stop().await
}

/// The same words from somebody who is not listed are garbage.
#[tokio::test]
async fn nobody_else_can_say_where_it_is() -> Result<()> {
    let fixture = Fixture::start().await?;
    let address = fixture.device_address();
    let roots = learn_roots(&fixture).await?;
    let endpoint = Endpoint::from_static("http://localhost");
    assert!(device_channel_by(endpoint, move || dial(address), &roots, None).await.is_err());
    fixture.stop().await
}
