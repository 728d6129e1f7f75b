//! People's accounts at the real server, with the mails that it sends.

mod leaving;
mod passwords;
mod sessions;
mod signing_up;

use crate::browser::Browser;
use crate::support::Fixture;
use crate::support::mail_server::{MailServer, accept};
use anyhow::{Context, Result};
use kaliun_mail_sink::reading::Mail;
use kaliun_proto::fleet::v1 as fleet;
use tonic::Status;

pub(crate) const PASSWORD: &str = "lantern ostrich seven graz";
pub(crate) const OTHER_PASSWORD: &str = "velvet tractor nine linz";

/// A server that sends its mails to another.
pub(crate) struct WithMail {
    pub(crate) fixture: Fixture,
    pub(crate) mail_server: MailServer,
    /// Mails that were looked at.
    seen: usize,
}

impl WithMail {
    pub(crate) async fn start() -> Result<Self> {
        let mail_server = MailServer::start(accept).await?;
        let mail = mail_server.config();
        let fixture = Fixture::start_with(|config| config.mail = Some(mail)).await?;
        Ok(Self { fixture, mail_server, seen: 0 })
    }

    /// The next mail that comes.
    pub(crate) async fn mail(&mut self) -> Result<Mail> {
        self.seen += 1;
        let mails = self.mail_server.taken(self.seen).await?;
        mails.into_iter().nth(self.seen - 1).context("as many as were waited for")
    }

    /// Signs somebody up, reads the mail, and opens a browser as them.
    pub(crate) async fn person(&mut self, email: &str) -> Result<Browser> {
        let mut browser = Browser::open(&self.fixture).await?;
        sign_up(&browser, email).await?;
        let mail = self.mail().await?;
        confirm(&mut browser, &secret(&mail, "confirm")?, PASSWORD).await?;
        Ok(browser)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.fixture.stop().await
    }
}

/// The secret behind the "#" of a mail's link.
pub(crate) fn secret(mail: &Mail, page: &str) -> Result<String> {
    let link = mail.link().with_context(|| format!("a link in {mail:?}"))?;
    let (address, secret) = link.split_once('#').with_context(|| format!("a secret in {link}"))?;
    anyhow::ensure!(address.ends_with(&format!("/{page}")), "{link} leads elsewhere than to {page}");
    Ok(secret.to_owned())
}

pub(crate) async fn sign_up(browser: &Browser, email: &str) -> Result<fleet::SignUpStep, Status> {
    let request = fleet::SignUpRequest {
        email: email.to_owned(),
        name: "Anna Berger".to_owned(),
        password: PASSWORD.to_owned(),
        ..Default::default()
    };
    Ok(browser.accounts().sign_up(browser.request(request)).await?.into_inner().next())
}

pub(crate) async fn confirm(browser: &mut Browser, secret: &str, password: &str) -> Result<fleet::Identity, Status> {
    let request = fleet::ConfirmSignUpRequest { secret: secret.to_owned(), password: password.to_owned() };
    let answer = browser.accounts().confirm_sign_up(browser.request(request)).await?;
    browser.keep_cookie(&answer);
    Ok(answer.into_inner().identity.unwrap_or_default())
}

pub(crate) async fn who(browser: &Browser) -> Result<fleet::Identity, Status> {
    let answer = browser.accounts().who_am_i(browser.request(fleet::WhoAmIRequest {})).await?;
    Ok(answer.into_inner().identity.unwrap_or_default())
}
