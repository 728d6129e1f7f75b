//! The server: takes every mail, and keeps the newest.

use crate::mailbox::Mailbox;
use crate::session::{Answer, Offer, Step, converse};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Connections at once. A control plane opens eight.
const CONNECTIONS_MAX: usize = 32;
/// How long a listener that has no file left waits before it tries again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Takes mails for as long as it is polled; dropped, it ends every conversation.
///
/// # Errors
/// The listener is not on loopback: whoever reaches it could fill the folder.
pub async fn serve(listener: TcpListener, mailbox: Mailbox) -> io::Result<()> {
    if !listener.local_addr()?.ip().is_loopback() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a mail sink listens on loopback alone"));
    }
    let mailbox = Arc::new(mailbox);
    let mut conversations = JoinSet::new();
    loop {
        while conversations.len() >= CONNECTIONS_MAX {
            conversations.join_next().await;
        }
        while conversations.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let mailbox = Arc::clone(&mailbox);
                conversations.spawn(async move {
                    let offer = Offer::default();
                    // What a client does wrong is its own trouble: it gets no answer.
                    let _ended = converse(stream, &offer, false, &mut |step| keep(&mailbox, step)).await;
                });
            }
            Err(_no_file_left) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn keep(mailbox: &Mailbox, step: Step<'_>) -> Answer {
    match step {
        Step::Connected | Step::Sender(_) | Step::Recipient(_) => Answer::Accept,
        Step::Message(received) => match mailbox.put(&received.bytes) {
            Ok(_kept) => Answer::Accept,
            Err(_) => Answer::Say("452 4.3.1 the folder cannot be written"),
        },
    }
}
