//! A mail server that delivers nothing.
//!
//! [`sink::serve`] takes whatever mails come over loopback and keeps the newest of them in a [`mailbox::Mailbox`], as files; [`reading`]
//! finds in such a file what a person looks for. [`session::converse`] is one conversation over any stream: a test lets it answer as mail
//! servers do that have a bad day, and puts TLS below it.
//!
//! Everything is bounded: connections, lines, recipients, the size of a mail, the number of mails kept.

pub mod mailbox;
pub mod reading;
pub mod session;
pub mod sink;
