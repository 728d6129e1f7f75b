//! Mails: from the outbox to a mail server, whatever that says.

mod command;
mod listing;
mod servers;

use crate::setbacks::metric;
use crate::support::mail_server::{MailServer, accept};
use crate::support::{Fixture, PATIENCE};
use anyhow::{Context, Result, ensure};
use kaliun_domain::mail::{Mail, MailState};
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_mail_sink::session::{Answer, Step};
use kaliun_store::{DatabaseAccess, DatabaseUrl, MailRow, NewMail, Store};
use kaliun_types::id::AccountId;
use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

/// A server that sends its mails to another, and the store behind its back.
async fn start(mail_server: &MailServer) -> Result<(Fixture, Store)> {
    let mail = mail_server.config();
    let fixture = Fixture::start_with(|config| {
        config.mail = Some(mail);
        config.public_url = Some("https://fleet.example.org".to_owned());
        config.behind_tls_proxy = true;
    })
    .await?;
    let store = store(&fixture).await?;
    Ok((fixture, store))
}

async fn store(fixture: &Fixture) -> Result<Store> {
    let url = DatabaseUrl::from(fixture.database.admin_config());
    Ok(Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await?)
}

fn reset(account: AccountId) -> NewMail<'static> {
    let subject = Some(account.as_uuid());
    NewMail { organization: None, recipient: "ada@example.org", mail: Mail::ResetPassword {}, subject }
}

fn notice(recipient: &str) -> NewMail<'_> {
    NewMail { organization: None, recipient, mail: Mail::PasswordChanged {}, subject: None }
}

/// The only mail, once it is so far.
async fn row(store: &Store, is_so_far: impl Fn(&MailRow) -> bool) -> Result<MailRow> {
    let began = Instant::now();
    loop {
        let row = store.system.mail_list_page(None, None, 1).await?.into_iter().next();
        match row {
            Some(row) if is_so_far(&row) => return Ok(row),
            other => ensure!(began.elapsed() < PATIENCE, "the mail does not come so far: {other:?}"),
        }
    }
}

/// Lets what waits be due now.
async fn let_it_be_due(fixture: &Fixture) -> Result<()> {
    fixture.admin().await?.execute("UPDATE mail SET next_attempt_at = now()", &[]).await?;
    Ok(())
}

fn hash(secret: &str) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// The secret of a mail's link.
fn secret(mail: &kaliun_mail_sink::reading::Mail, path: &str) -> Result<String> {
    let link = mail.link().context("there is a link")?;
    let secret = link.strip_prefix(&format!("https://fleet.example.org/{path}#"));
    Ok(secret.with_context(|| format!("the link is {link}"))?.to_owned())
}

#[tokio::test]
async fn a_mail_comes_with_a_link_that_is_good_once_and_rests_nowhere() -> Result<()> {
    let mail_server = MailServer::start(accept).await?;
    let (fixture, store) = start(&mail_server).await?;
    let account = AccountId::new();
    store.system.mail_insert(reset(account)).await?;
    let mails = mail_server.taken(1).await?;
    let mail = mails.first().context("one")?;
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        ("ada@example.org", "Choose a new password for Kaliun Fleet")
    );
    let secret = secret(mail, "reset")?;
    assert!(secret.len() >= 43, "{secret}");
    let row = row(&store, |row| row.state == MailState::Sent).await?;
    assert_eq!((row.attempts, row.last_error), (1, None));
    let admin = fixture.admin().await?;
    let dump = admin.query_one(
        "SELECT coalesce(string_agg(row, ' '), '') FROM (SELECT m::text AS row FROM mail m UNION ALL SELECT s::text FROM mailed_secret s) AS rows",
        &[],
    );
    let dump: String = dump.await?.get(0);
    ensure!(dump.contains("reset_password") && !dump.contains(&secret), "{dump}");
    let hash = hash(&secret);
    let take = || store.system.mailed_secret_take(SecretPurpose::ResetPassword, &hash);
    assert_eq!(take().await?, Some(account.as_uuid()));
    assert_eq!(take().await?, None);
    assert_eq!(metric(&fixture, "kaliun_mails_sent_total").await?, 1);
    fixture.stop().await
}

#[tokio::test]
async fn a_server_that_says_later_gets_the_mail_later() -> Result<()> {
    let greylisting = |step: Step<'_>| match step {
        Step::Recipient(_) => Answer::Say("451 4.7.1 come back later, ada@example.org"),
        Step::Connected | Step::Sender(_) | Step::Message(_) => Answer::Accept,
    };
    let mail_server = MailServer::start(greylisting).await?;
    let (fixture, store) = start(&mail_server).await?;
    let account = AccountId::new();
    store.system.mail_insert(reset(account)).await?;
    let waiting = row(&store, |row| row.last_error.is_some()).await?;
    assert_eq!((waiting.state, waiting.attempts), (MailState::Waiting, 1));
    assert!(waiting.last_error.context("a reason")?.contains("451 4.7.1 come back later"));
    let wait = waiting.next_attempt_at.context("it is tried again")?.duration_since(SystemTime::now())?;
    assert!((5..=31).contains(&wait.as_secs()), "{wait:?}");
    mail_server.answer(accept);
    let_it_be_due(&fixture).await?;
    let mails = mail_server.taken(1).await?;
    let secret = secret(mails.first().context("one")?, "reset")?;
    let taken = store.system.mailed_secret_take(SecretPurpose::ResetPassword, &hash(&secret)).await?;
    assert_eq!(taken, Some(account.as_uuid()), "the secret of the second attempt");
    assert_eq!(row(&store, |row| row.state == MailState::Sent).await?.attempts, 2);
    fixture.stop().await
}

#[tokio::test]
async fn a_server_that_says_never_is_not_asked_again() -> Result<()> {
    let unknown = |step: Step<'_>| match step {
        Step::Recipient(_) => Answer::Say("550 5.1.1 no such user"),
        Step::Connected | Step::Sender(_) | Step::Message(_) => Answer::Accept,
    };
    let mail_server = MailServer::start(unknown).await?;
    let (fixture, store) = start(&mail_server).await?;
    store.system.mail_insert(reset(AccountId::new())).await?;
    let row = row(&store, |row| row.state == MailState::GivenUp).await?;
    assert_eq!(row.attempts, 1);
    assert!(
        row.last_error.context("a reason")?.contains("does not take mails to this address (550 5.1.1 no such user)")
    );
    fixture.stop().await
}

#[tokio::test]
async fn a_server_that_hangs_up_or_refuses_us_is_asked_again() -> Result<()> {
    let hangs_up = |step: Step<'_>| match step {
        Step::Message(_) => Answer::HangUp,
        Step::Connected | Step::Sender(_) | Step::Recipient(_) => Answer::Accept,
    };
    let mail_server = MailServer::start(hangs_up).await?;
    let (fixture, store) = start(&mail_server).await?;
    store.system.mail_insert(notice("ada@example.org")).await?;
    let lost = row(&store, |row| row.last_error.is_some()).await?;
    assert_eq!((lost.state, lost.attempts), (MailState::Waiting, 1), "{lost:?}");
    let bad_sender = |step: Step<'_>| match step {
        Step::Sender(_) => Answer::Say("550 5.7.1 this sender may not send"),
        Step::Connected | Step::Recipient(_) | Step::Message(_) => Answer::Accept,
    };
    mail_server.answer(bad_sender);
    let_it_be_due(&fixture).await?;
    let refused =
        row(&store, |row| row.last_error.as_ref().is_some_and(|error| error.contains("look at mail_from"))).await?;
    // Whoever runs this can mend it, and no mail is lost meanwhile.
    assert_eq!((refused.state, refused.attempts), (MailState::Waiting, 2), "{refused:?}");
    fixture.stop().await
}

#[tokio::test]
async fn a_process_that_ends_while_it_sends_loses_nothing() -> Result<()> {
    let silent = |step: Step<'_>| match step {
        Step::Message(_) => Answer::Silence,
        Step::Connected | Step::Sender(_) | Step::Recipient(_) => Answer::Accept,
    };
    let mail_server = MailServer::start(silent).await?;
    let (fixture, store) = start(&mail_server).await?;
    store.system.mail_insert(notice("ada@example.org")).await?;
    mail_server.reached(4).await?;
    let (fixture, ()) = fixture
        .restart_after(async |_stopped| {
            let claimed = row(&store, |_row| true).await?;
            ensure!(claimed.state == MailState::Waiting && claimed.attempts == 1, "{claimed:?}");
            mail_server.answer(accept);
            Ok(())
        })
        .await?;
    assert_eq!(mail_server.count(), 0, "its claim lasts longer than it does");
    let_it_be_due(&fixture).await?;
    mail_server.taken(1).await?;
    let sent = row(&store, |row| row.state == MailState::Sent).await?;
    assert_eq!((sent.attempts, mail_server.count()), (2, 1));
    fixture.stop().await
}

#[tokio::test]
async fn two_replicas_send_each_mail_once() -> Result<()> {
    let mail_server = MailServer::start(accept).await?;
    let (fixture, store) = start(&mail_server).await?;
    let other = fixture.replica().await?;
    for number in 0..60 {
        store.system.mail_insert(notice(&format!("{number}@example.org"))).await?;
    }
    let mails = mail_server.taken(60).await?;
    let recipients: BTreeSet<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!((mails.len(), recipients.len()), (60, 60));
    let began = Instant::now();
    while store.system.mail_backlog().await?.waiting > 0 {
        ensure!(began.elapsed() < PATIENCE, "what was sent is not written down");
    }
    assert_eq!(mail_server.count(), 60);
    other.stop().await;
    fixture.stop().await
}

#[tokio::test]
async fn a_mail_that_is_not_wanted_any_more_is_not_sent() -> Result<()> {
    let later = |step: Step<'_>| match step {
        Step::Recipient(_) => Answer::Say("451 4.7.1 come back later"),
        Step::Connected | Step::Sender(_) | Step::Message(_) => Answer::Accept,
    };
    let mail_server = MailServer::start(later).await?;
    let (fixture, store) = start(&mail_server).await?;
    let account = AccountId::new();
    store.system.mail_insert(reset(account)).await?;
    row(&store, |row| row.last_error.is_some()).await?;
    store.system.mailed_secret_void(SecretPurpose::ResetPassword, account.as_uuid()).await?;
    mail_server.answer(accept);
    let_it_be_due(&fixture).await?;
    store.system.mail_insert(notice("other@example.org")).await?;
    let mails = mail_server.taken(1).await?;
    assert_eq!(mails.first().context("one")?.to, "other@example.org");
    let given_up = store.system.mail_list_page(Some(MailState::GivenUp), None, 10).await?;
    assert_eq!(given_up.len(), 1);
    fixture.stop().await
}
