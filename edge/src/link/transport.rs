//! Opens the stream and says hello. What comes out is a session that both sides agreed on.

use super::state::Failure;
use crate::client_tls::ClientTls;
use crate::connection::{Connection, DialError, ServerProblem};
use crate::dialer::Dialer;
use crate::facts::clip;
use crate::refusal::Refusal;
use crate::server_address::ServerAddress;
use kaliun_proto::link::v1::device_message::Message as Outgoing;
use kaliun_proto::link::v1::link_service_client::LinkServiceClient;
use kaliun_proto::link::v1::server_message::Message as Incoming;
use kaliun_proto::link::v1::{DeviceMessage, Hello, ServerMessage, Welcome};
use kaliun_types::limits::{LINK_MESSAGE_MAX_BYTES, LINK_PROTOCOL, REASON_MESSAGE_MAX_BYTES};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// Longest wait for Welcome after the connection stands: a server that takes 10,000 boxes back at 700 a second needs half of
/// it for the last one.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(30);

/// Messages between the session and HTTP/2: one, so that what is more important never waits behind more than one.
const OUTGOING_MAX: usize = 1;

/// Bounds of what Welcome may agree, milliseconds, as the contract says.
const HEARTBEAT_MS: std::ops::RangeInclusive<u32> = 1_000..=300_000;

/// An open stream on which Welcome was received.
#[derive(Debug)]
pub struct OpenStream {
    outgoing: Option<mpsc::Sender<Box<DeviceMessage>>>,
    incoming: Streaming<ServerMessage>,
    _connection: Connection,
}

/// Dials, says hello and waits for the welcome.
///
/// # Errors
/// Whatever kept the session from beginning.
pub async fn open(
    dialer: &Dialer,
    address: &ServerAddress,
    tls: ClientTls,
    hello: Hello,
) -> Result<(OpenStream, Welcome), Failure> {
    let connection = Connection::open(dialer, address, tls).await.map_err(undialled)?;
    let (outgoing, receiver) = mpsc::channel::<Box<DeviceMessage>>(OUTGOING_MAX);
    outgoing
        .try_send(Box::new(DeviceMessage { message: Some(Outgoing::Hello(Box::new(hello))) }))
        .map_err(|_| Failure::Closed)?;
    let mut client = LinkServiceClient::with_origin(connection.service(), connection.origin())
        .max_decoding_message_size(LINK_MESSAGE_MAX_BYTES)
        .max_encoding_message_size(LINK_MESSAGE_MAX_BYTES);
    let welcomed = async {
        let requests = ReceiverStream::new(receiver).map(|message| *message);
        let mut incoming = client.open_link(requests).await.map_err(ended)?.into_inner();
        let first = incoming.message().await.map_err(ended)?.ok_or(Failure::Closed)?;
        let Some(Incoming::Welcome(welcome)) = first.message else {
            return Err(Failure::BrokenProtocol { message: "the first message is no welcome" });
        };
        check(&welcome)?;
        Ok((incoming, welcome))
    };
    let (incoming, welcome) = tokio::time::timeout(WELCOME_TIMEOUT, welcomed).await.map_err(|_| Failure::Idle)??;
    Ok((OpenStream { outgoing: Some(outgoing), incoming, _connection: connection }, welcome))
}

impl OpenStream {
    /// The sending and the receiving half.
    pub(super) fn halves(&mut self) -> (Option<&mpsc::Sender<Box<DeviceMessage>>>, &mut Streaming<ServerMessage>) {
        (self.outgoing.as_ref(), &mut self.incoming)
    }

    /// Says that nothing more will come, and waits a moment for the server to see it.
    pub async fn close(mut self, patience: Duration) {
        self.outgoing = None;
        let drained = async { while let Ok(Some(_)) = self.incoming.message().await {} };
        // A server that does not end its side in time finds the socket closed.
        let _in_time = tokio::time::timeout(patience, drained).await;
    }
}

fn check(welcome: &Welcome) -> Result<(), Failure> {
    let message = if welcome.protocol == 0 || welcome.protocol > LINK_PROTOCOL {
        "a protocol version that was not offered"
    } else if welcome.session_epoch == 0 {
        "a session without an epoch"
    } else if !HEARTBEAT_MS.contains(&welcome.heartbeat_interval_ms) {
        "a heartbeat interval out of bounds"
    } else if welcome.idle_timeout_ms / 2 < welcome.heartbeat_interval_ms {
        "an idle timeout shorter than two heartbeats"
    } else {
        return Ok(());
    };
    Err(Failure::BrokenProtocol { message })
}

fn undialled(error: DialError) -> Failure {
    if let Some(failure) = error.own_failure() {
        let message = clip(&with_sources(failure), REASON_MESSAGE_MAX_BYTES).to_owned();
        return Failure::KeyFailed { message };
    }
    let message = error.sentence();
    match error.server_problem() {
        None => Failure::Unreachable { message },
        Some(ServerProblem::Untrusted) => Failure::UntrustedServer { message },
        Some(ServerProblem::NotValidNow { .. }) => Failure::ServerNotValidNow { message },
    }
}

pub(super) fn ended(status: tonic::Status) -> Failure {
    Failure::Ended(Refusal::from_status(&status))
}

/// An error with what caused it, as one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome() -> Welcome {
        Welcome {
            protocol: 1,
            session_epoch: 5,
            heartbeat_interval_ms: 15_000,
            idle_timeout_ms: 40_000,
            ..Welcome::default()
        }
    }

    #[test]
    fn a_welcome_must_make_sense() {
        let is_refused = |welcome| matches!(check(&welcome), Err(Failure::BrokenProtocol { .. }));
        assert_eq!(check(&welcome()), Ok(()));
        assert!(is_refused(Welcome { protocol: 0, ..welcome() }));
        assert!(is_refused(Welcome { protocol: 2, ..welcome() }));
        assert!(is_refused(Welcome { session_epoch: 0, ..welcome() }));
        assert!(is_refused(Welcome { heartbeat_interval_ms: 10, ..welcome() }));
        assert!(is_refused(Welcome { heartbeat_interval_ms: u32::MAX, ..welcome() }));
        assert!(is_refused(Welcome { idle_timeout_ms: 20_000, ..welcome() }));
    }
}
