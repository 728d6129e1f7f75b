//! What watches can take of a server: so many devices for each organization, and nothing for one that does not read.

use crate::support::{Fixture, PATIENCE, TestBox, with_token_of};
use crate::watch_rights;
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::watch_service_client::WatchServiceClient;
use kaliun_types::limits::{PAGE_SIZE_MAX, WATCH_SUBSCRIPTIONS_MAX};
use std::time::Duration;
use tonic::Code;
use tonic::transport::Endpoint;

/// A fleet's first page, as often as one watch can follow it: 16,000 devices at the most.
fn as_much_as_possible() -> fleet::WatchRequest {
    let list = fleet::DeviceListSubscription { page_size: PAGE_SIZE_MAX, ..Default::default() };
    let page =
        |number: usize| fleet::Subscription { id: number.to_string(), what: Some(What::DeviceList(list.clone())) };
    fleet::WatchRequest { subscriptions: (0..WATCH_SUBSCRIPTIONS_MAX).map(page).collect() }
}

#[tokio::test]
async fn watches_that_are_not_read_end_and_give_their_places_back() -> Result<()> {
    const DEVICES: usize = 8;
    let fixture = Fixture::start().await?;
    let token = fixture.join_token().await?;
    for _ in 0..DEVICES {
        TestBox::enroll_by(&fixture, &token, "cellar").await?;
    }
    // The network takes little of what the server says before it is read.
    let address = format!("http://{}", fixture.server.addresses().public);
    let narrow = Endpoint::from_shared(address)?.initial_stream_window_size(1_024).connect().await?;
    // Each with a token of its own: those of one token wait for each other.
    let mut secrets = Vec::new();
    for _ in 0..6 {
        secrets.push(watch_rights::token(&fixture).await?.1);
    }
    let mut stalled = Vec::new();
    for secret in &secrets {
        let request = with_token_of(secret, as_much_as_possible());
        stalled.push(WatchServiceClient::new(narrow.clone()).watch(request).await?.into_inner());
    }

    let mut watches = WatchServiceClient::new(fixture.public().await?);
    let request = with_token_of(&secrets[0], as_much_as_possible());
    let refused = watches.watch(request).await.map(|_| ()).expect_err("the share is taken");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(refused.message().contains("4000 are left; close some watches"), "{refused:?}");
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    // As many fit again as before, so all of them are over: one that is read while it still lasts would go on.
    let given_back = async {
        let mut again = Vec::new();
        while let Some(secret) = secrets.get(again.len()) {
            match watches.watch(with_token_of(secret, as_much_as_possible())).await {
                Ok(opened) => again.push(opened),
                Err(_no_room) => {
                    ticks.tick().await;
                }
            }
        }
    };
    tokio::time::timeout(2 * PATIENCE, given_back).await.context("they keep their places")?;

    // Of what was said to one that did not read, only what was under way already still comes.
    for mut stream in stalled {
        let mut heard = 0;
        let status = loop {
            match tokio::time::timeout(PATIENCE, stream.message()).await? {
                Ok(told) => {
                    told.context("the watch ended without a word")?;
                    heard += 1;
                }
                Err(status) => break status,
            }
        };
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(heard < WATCH_SUBSCRIPTIONS_MAX * (DEVICES + 1), "{heard} messages waited for it");
    }
    fixture.stop().await
}
