//! `control-plane mail preview`: what mails look like, as files.

use super::example::example;
use super::wording::{Links, letter};
use super::{html::html, message::Message, text::text};
use kaliun_domain::mail::MailKind;
use kaliun_types::id::MailId;
use lettre::Address;
use lettre::message::Mailbox;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// The address in links, and the secret: both made up.
const PUBLIC_URL: &str = "https://fleet.example.org";
const SECRET: &str = "an-example-that-opens-nothing";

/// The mails cannot be written.
#[derive(Debug, Error)]
pub enum PreviewError {
    /// No kind is called so.
    #[error("there is no kind of mail {word:?}: it must be one of {}", kinds())]
    Kind {
        /// What was asked for.
        word: String,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The example itself is wrong.
    #[error("the example of {word} cannot be put together")]
    Message {
        /// The kind.
        word: &'static str,
    },
}

fn kinds() -> String {
    MailKind::ALL.map(MailKind::word).join(", ")
}

/// Writes each kind of mail, or the one with this name, as .html, .txt and .eml into a folder, which is made when it is missing. Answers
/// the files.
///
/// # Errors
/// See [`PreviewError`].
pub fn preview(kind: Option<&str>, folder: &Path, now: SystemTime) -> Result<Vec<PathBuf>, PreviewError> {
    let chosen: Vec<MailKind> =
        MailKind::ALL.into_iter().filter(|one| kind.is_none_or(|word| word.replace('-', "_") == one.word())).collect();
    if chosen.is_empty() {
        return Err(PreviewError::Kind { word: kind.unwrap_or_default().to_owned() });
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PreviewError::File { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut files = Vec::new();
    for kind in chosen {
        let letter = letter(&example(kind), &Links { public_url: PUBLIC_URL, secret: SECRET });
        let from = Address::new("fleet", "example.org").map(|address| Mailbox::new(None, address));
        let message = from
            .ok()
            .and_then(|from| Message::new(MailId::new(), &letter, &from, "you@example.org", now).ok())
            .ok_or(PreviewError::Message { word: kind.word() })?;
        for (ending, bytes) in
            [("html", html(&letter).into_bytes()), ("txt", text(&letter).into_bytes()), ("eml", message.bytes)]
        {
            let path = folder.join(format!("{}.{ending}", kind.word()));
            std::fs::write(&path, bytes).map_err(failed(&path))?;
            files.push(path);
        }
    }
    Ok(files)
}
