//! A letter as a MIME message, and where it goes.

use super::html::html;
use super::letter::Letter;
use super::text::text;
use kaliun_types::id::MailId;
use lettre::address::Envelope;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use std::time::SystemTime;
use thiserror::Error;

/// Why a mail cannot be written. Trying again does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidMail {
    /// The recipient is no address.
    #[error("the recipient's address is not one")]
    Recipient,
    /// The message cannot be put together.
    #[error("the message cannot be put together")]
    Message,
    /// This version does not know what is stored of it.
    #[error("what is stored of it is damaged")]
    Stored,
}

/// A mail as a mail server gets it.
pub(super) struct Message {
    /// Who sends it, and to whom.
    pub(super) envelope: Envelope,
    /// Headers and both forms. ASCII, so that every server takes it.
    pub(super) bytes: Vec<u8>,
}

/// Says that a machine wrote the mail, so that no out-of-office notice answers it (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Message {
    /// Puts a letter into an envelope. The same mail has the same Message-ID at each attempt: one that arrives twice is seen to be one.
    ///
    /// # Errors
    /// See [`InvalidMail`].
    pub(super) fn new(
        id: MailId,
        letter: &Letter,
        from: &Mailbox,
        to: &str,
        now: SystemTime,
    ) -> Result<Self, InvalidMail> {
        let to = Mailbox::new(None, to.parse().map_err(|_| InvalidMail::Recipient)?);
        let envelope = Envelope::new(Some(from.email.clone()), vec![to.email.clone()]);
        let message = lettre::Message::builder()
            .from(from.clone())
            .to(to)
            .subject(letter.subject.clone())
            .date(now)
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(text(letter), html(letter)))
            .map_err(|_| InvalidMail::Message)?;
        Ok(Self { envelope: envelope.map_err(|_| InvalidMail::Recipient)?, bytes: message.formatted() })
    }

    /// Whether every mail server can name who sends it and to whom.
    pub(super) fn has_ascii_addresses(&self) -> bool {
        let addresses = self.envelope.from().into_iter().chain(self.envelope.to());
        addresses.map(AsRef::<str>::as_ref).all(str::is_ascii)
    }
}
