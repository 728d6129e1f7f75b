//! What reads bytes of somebody whom nobody knows yet, as plain functions over bytes: the same code that the listeners run, without
//! sockets, database and keys. For fuzzers (`xtask/fuzz`) and for nothing else; not in what is shipped.

use crate::grpc::auth::{self, Credential};
use crate::grpc::body::{STRANGER, with_whole_body};
use crate::grpc::convert::link::{events_from_proto, facts_from_proto, samples_from_proto};
use crate::grpc::page::PageSeal;
use crate::grpc::{enrollment, link, recovery};
use crate::listen::peer::{Peer, PeerJudge};
use crate::listen::{forwarded, proxied};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use ipnet::IpNet;
use kaliun_proto::enrollment::v1::enroll_response::Step as EnrollmentStep;
use kaliun_proto::enrollment::v1::recover_response::Step as RecoveryStep;
use kaliun_proto::fleet::v1::SignInRequest;
use kaliun_proto::link::v1::Hello;
use kaliun_proto::link::v1::device_message::Message;
use kaliun_types::id::{DeviceId, OrganizationId, SessionEpoch};
use kaliun_types::reason::ReasonCode;
use rustls::pki_types::CertificateDer;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tonic::{Status, Streaming};
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt};

/// What is known of a peer by its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// A device.
    Device {
        /// Which.
        device: DeviceId,
        /// The certificate's end.
        expires_at: SystemTime,
        /// Number of the authority that signed it.
        authority: i32,
        /// Whose it is, where the certificate says so.
        organization: Option<OrganizationId>,
    },
    /// Nobody we know.
    Stranger(ReasonCode),
}

/// Judges certificates as the device listener does.
pub struct Judge(PeerJudge);

/// What somebody presented, by kind, as the hash that it is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// In the header `authorization`.
    ApiToken([u8; 32]),
    /// There, too, of somebody who signed in with fleetctl.
    AccessToken([u8; 32]),
    /// In a cookie.
    BrowserSession([u8; 32]),
}

/// The source of a connection that begins with some bytes (`listen/proxied.rs`).
///
/// # Errors
/// A listed balancer said nothing that can be understood.
pub fn proxy_header(mut bytes: &[u8], other_end: IpAddr, balancers: &[IpNet]) -> io::Result<IpAddr> {
    let found = proxied::source(&mut bytes, other_end, balancers).now_or_never();
    found.unwrap_or_else(|| Err(io::Error::other("it waits, though all bytes are there")))
}

/// The source of a request with some headers (`listen/forwarded.rs`).
#[must_use]
pub fn forwarded_for(headers: &HeaderMap, other_end: IpAddr, proxies: &[IpNet]) -> Option<IpAddr> {
    forwarded::source(headers, other_end, proxies)
}

impl Judge {
    /// Believes some authorities, each with its number; none when one of them is no certificate.
    #[must_use]
    pub fn new(authorities: Vec<(i32, CertificateDer<'static>)>) -> Option<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        PeerJudge::by(authorities.into_iter(), provider).ok().map(Self)
    }

    /// Who presented these certificates, their own first, and the hash of the key that they name (`listen/peer.rs`).
    #[must_use]
    pub fn judge(&self, presented: &[CertificateDer<'_>], now: SystemTime) -> (Judged, Option<[u8; 32]>) {
        let judged = match self.0.judge(Some(presented), now) {
            Peer::Device { device, expires_at, authority, organization, serial: _ } => {
                Judged::Device { device, expires_at, authority, organization }
            }
            Peer::Stranger(reason) => Judged::Stranger(reason),
        };
        (judged, crate::listen::peer::key_hash(Some(presented)))
    }
}

/// Enrols somebody who sends these bytes as the body, up to the proof: whether a key was proved, and what was answered
/// (`grpc/enrollment/dialogue.rs`). The nonce is another one each time.
pub async fn enrollment(body: Bytes) -> (bool, Vec<EnrollmentStep>) {
    enrollment::first_half(body).await
}

/// The same for a recovery, on a connection with this TLS exporter (`grpc/recovery.rs`).
pub async fn recovery(exporter: &[u8; 32], body: Bytes) -> (bool, Vec<RecoveryStep>) {
    recovery::first_half(exporter, body).await
}

/// The hello that a link begins with (`grpc/link.rs`, `grpc/link/codec.rs`).
///
/// # Errors
/// It is none, or breaks a bound.
pub async fn hello(body: Bytes) -> Result<Hello, Status> {
    link::first_hello(body).await
}

/// How many of a link's messages were taken before the first that was not: samples, events and facts (`grpc/convert/link.rs`).
pub async fn link_items(body: Bytes) -> Vec<usize> {
    let mut messages = link::messages(body);
    let (device, epoch) = (DeviceId::new(), SessionEpoch(1));
    let mut taken = Vec::new();
    while let Ok(Some(frame)) = messages.message().await {
        let items = match frame.message.message {
            Some(Message::SampleBatch(batch)) => {
                samples_from_proto(batch, device, epoch).map(|write| write.items.len())
            }
            Some(Message::EventBatch(batch)) => events_from_proto(batch, device, epoch).map(|write| write.items.len()),
            Some(Message::FactsReport(report)) => facts_from_proto(report, device, epoch).map(|_write| 1),
            Some(_) | None => Ok(0),
        };
        let Ok(items) = items else { break };
        taken.push(items);
    }
    taken
}

/// The token of a place in a list (`grpc/page.rs`).
#[must_use]
pub fn page_token(key: &[u8; 32], organization: OrganizationId, question: &str, position: &str) -> String {
    PageSeal::of(key).list_of(&organization.to_string(), question).token(position)
}

/// The place that a token names: none for the first page.
///
/// # Errors
/// It belongs to no such list.
pub fn page_position(
    key: &[u8; 32],
    organization: OrganizationId,
    question: &str,
    token: &str,
) -> Result<Option<String>, Status> {
    PageSeal::of(key).list_of(&organization.to_string(), question).position(token)
}

/// What a request presents (`grpc/auth.rs`).
///
/// # Errors
/// It presents something that is none, or two things.
pub fn credential(headers: &HeaderMap, cookie_name: &str, from_our_pages: bool) -> Result<Option<Presented>, Status> {
    let presented = auth::credential(headers, cookie_name, from_our_pages)?;
    Ok(presented.map(|presented| match presented {
        Credential::ApiToken(hash) => Presented::ApiToken(hash),
        Credential::AccessToken(hash) => Presented::AccessToken(hash),
        Credential::BrowserSession(hash) => Presented::BrowserSession(hash),
    }))
}

/// The first message of a call by a stranger: gRPC or gRPC-Web by its content type, the body bounded as that of a stranger
/// (`listen/public.rs`, `grpc/body.rs`). Signing in is such a call.
pub async fn strangers_call(request: Request<Full<Bytes>>) -> Option<SignInRequest> {
    let read = Arc::new(Mutex::new(None));
    let into = Arc::clone(&read);
    let handler = tower::service_fn(move |request: Request<tonic::body::Body>| {
        let into = Arc::clone(&into);
        async move {
            if let Ok(request) = with_whole_body(request.map(axum::body::Body::new), STRANGER).await {
                let decoder = tonic_prost::ProstCodec::<SignInRequest, _>::raw_decoder(Default::default());
                let mut messages = Streaming::new_request(decoder, request.into_body(), None, None);
                *into.lock().unwrap_or_else(PoisonError::into_inner) = messages.message().await.ok().flatten();
            }
            Ok::<_, Infallible>(Response::new(tonic::body::Body::empty()))
        }
    });
    match GrpcWebLayer::new().layer(handler).oneshot(request).await {
        Ok(_answer) => {}
        Err(infallible) => match infallible {},
    }
    read.lock().unwrap_or_else(PoisonError::into_inner).take()
}
