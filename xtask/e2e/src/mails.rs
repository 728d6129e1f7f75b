//! The mails that a fleet sends, kept where a test reads them.

use crate::folder::TestFolder;
use crate::wait::{PATIENCE, until};
use anyhow::Context as _;
use kaliun_mail_sink::mailbox::Mailbox;
use kaliun_mail_sink::reading::Mail;
use kaliun_mail_sink::sink;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A mail server that delivers nothing. Dropping it ends it.
#[derive(Debug)]
pub struct Mails {
    address: SocketAddr,
    mailbox: Mailbox,
    _server: JoinSet<std::io::Result<()>>,
}

impl Mails {
    /// Starts one that keeps its mails in a folder.
    ///
    /// # Errors
    /// There is no free port, or the folder cannot be made.
    pub async fn start(folder: &TestFolder) -> anyhow::Result<Self> {
        let mailbox = Mailbox::new(folder.join("mails"));
        std::fs::create_dir_all(mailbox.folder()).context("cannot make the folder for mails")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port for mails")?;
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(sink::serve(listener, mailbox.clone()));
        Ok(Self { address, mailbox, _server: server })
    }

    /// The server, as the control plane is told of it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Waits for a mail to somebody with a link to a page, and returns the link of the newest.
    ///
    /// # Errors
    /// None comes in time.
    pub async fn link(&self, to: &str, page: &str) -> anyhow::Result<String> {
        until(&format!("the mail to {to} with a link to {page}"), PATIENCE, || async {
            for kept in self.mailbox.list()?.iter().rev() {
                let mail = Mail::read(&std::fs::read(&kept.path)?);
                let link = mail.link().filter(|link| mail.to.contains(to) && link.contains(page));
                if let Some(link) = link {
                    return Ok(Some(link.to_owned()));
                }
            }
            Ok(None)
        })
        .await
    }
}
