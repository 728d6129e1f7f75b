//! Mails: from a row of the outbox to a mail server.
//!
//! `wording` says what a kind of mail tells, as a `letter::Letter`; `text` and `html` write the same letter down twice; `message`
//! makes a MIME message of both, and `smtp` hands it to the mail server. `sender` is the task that does so with what waits in the outbox
//! (`kaliun_store`), and makes the secret of a link at that moment: it never rests anywhere. Replicas share the outbox; each sends eight
//! mails at once at most.

mod example;
mod html;
mod letter;
mod message;
pub mod preview;
mod sender;
mod smtp;
mod text;
mod wording;

pub use message::InvalidMail;
pub use sender::Outlet;
pub use smtp::{MailError, MailServerError, Stage};

pub(crate) use sender::Sender;

use crate::config::MailConfig;
use kaliun_domain::mail::Mail;
use kaliun_types::id::MailId;
use letter::Letter;
use lettre::message::Mailbox;
use message::Message;
use smtp::Smtp;
use std::time::SystemTime;
use thiserror::Error;

/// The test mail could not be sent.
#[derive(Debug, Error)]
pub enum TestMailError {
    /// No mail server is configured.
    #[error("smtp_url is missing: no mail server is configured, so no mail is sent at all")]
    NotConfigured,
    /// A file or a certificate does not serve.
    #[error(transparent)]
    Server(#[from] MailServerError),
    /// The address does not serve.
    #[error(transparent)]
    Invalid(#[from] InvalidMail),
    /// The mail server did not take it.
    #[error(transparent)]
    Refused(#[from] MailError),
}

/// Looks at the files that the configuration names for mails, and at nothing else.
///
/// # Errors
/// One of them does not serve.
pub fn check(config: &MailConfig) -> Result<(), MailServerError> {
    Smtp::new(config).map(|_smtp| ())
}

/// Sends one mail through the configured server, past the outbox. Answers what the server said to it.
///
/// # Errors
/// See [`TestMailError`].
pub async fn send_test(
    config: Option<&MailConfig>,
    public_url: &str,
    to: &str,
    now: SystemTime,
) -> Result<String, TestMailError> {
    let config = config.ok_or(TestMailError::NotConfigured)?;
    let smtp = Smtp::new(config)?;
    let message = Message::new(MailId::new(), &Letter::test(public_url), &config.from, to, now)?;
    Ok(smtp.send(&message).await?)
}

/// A mail as it goes out.
fn write(
    id: MailId,
    mail: &Mail,
    links: &wording::Links<'_>,
    from: &Mailbox,
    to: &str,
    now: SystemTime,
) -> Result<Message, InvalidMail> {
    Message::new(id, &wording::letter(mail, links), from, to, now)
}

#[cfg(test)]
mod tests;
