//! The task that sends what waits in the outbox.

use super::message::{InvalidMail, Message};
use super::smtp::{ATTEMPT_TIMEOUT, MailError, MailServerError, Smtp};
use super::wording::Links;
use crate::clock;
use crate::config::MailConfig;
use crate::digest::{random, sha256};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use data_encoding::BASE64URL_NOPAD;
use futures_util::future::join_all;
use kaliun_domain::mail::{MailKind, next_attempt};
use kaliun_store::{ClaimedMail, StoreError, SystemStore};
use kaliun_types::secret::SecretText;
use lettre::message::Mailbox;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

/// Mails that one replica sends at once. Mail servers take some ten connections of one client; at half a second each this is a thousand a
/// minute.
const AT_ONCE: u8 = 8;
/// Batches in one run; what is left waits for the next look.
const BATCHES: usize = 50;
/// How long a mail is this replica's own: an attempt, its secret, and writing down what came of it.
const LEASE: Duration = Duration::from_secs(120);
const _: () = assert!(LEASE.as_secs() >= ATTEMPT_TIMEOUT.as_secs() + 30);
/// How often the outbox is looked at without being told.
const PERIOD: Duration = Duration::from_secs(2);
/// How long no mail is tried after the server could not be spoken to: each would use up an attempt, and fare the same.
const SERVER_PAUSE: Duration = Duration::from_secs(15);
/// How long mails that are under way at the end of the process have to arrive. It is within what a stop waits for tasks.
const LAST_PATIENCE: Duration = Duration::from_secs(4);

/// What others know of mails: whether they can be sent, and how to have it done soon. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Outlet {
    is_configured: bool,
    waker: Arc<Notify>,
}

impl Outlet {
    /// Whether a mail server is configured. Without one nobody may be told to look into their mails.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Has the outbox looked at now: after the commit of a transaction that put a mail in.
    pub fn wake(&self) {
        self.waker.notify_one();
    }
}

/// Sends mails.
pub(crate) struct Sender {
    smtp: Smtp,
    from: Mailbox,
    store: SystemStore,
    public_url: String,
    metrics: Arc<Metrics>,
}

/// Why an attempt came to nothing.
enum Failed {
    /// The mail server did not take it.
    Server(MailError),
    /// It cannot be written.
    Invalid(InvalidMail),
    /// It is not to be sent any more, or is somebody else's.
    NotOurs,
    /// The database failed; the claim ends by itself.
    Store(StoreError),
}

impl Sender {
    /// Starts sending, when a mail server is configured. The outlet says whether one is.
    ///
    /// # Errors
    /// A file that the configuration names does not serve.
    pub(crate) fn start(
        tasks: &Tasks,
        config: Option<&MailConfig>,
        store: &SystemStore,
        public_url: &str,
        metrics: &Arc<Metrics>,
    ) -> Result<Outlet, MailServerError> {
        let waker = Arc::new(Notify::new());
        let outlet = Outlet { is_configured: config.is_some(), waker: Arc::clone(&waker) };
        let Some(config) = config else {
            tracing::warn!(
                "smtp_url is not set: no mail is sent, and people cannot confirm their addresses themselves"
            );
            return Ok(outlet);
        };
        let sender = Self {
            smtp: Smtp::new(config)?,
            from: config.from.clone(),
            store: store.clone(),
            public_url: public_url.to_owned(),
            metrics: Arc::clone(metrics),
        };
        let stopping = tasks.stopping();
        tasks.spawn("mail-sender", async move {
            let mut ticks = tokio::time::interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = waker.notified() => {}
                    () = stopping.cancelled() => return,
                }
                let pause_until = tokio::select! {
                    pause = sender.activate(&stopping) => pause,
                    () = async {
                        stopping.cancelled().await;
                        tokio::time::sleep(LAST_PATIENCE).await;
                    } => return,
                };
                if let Some(until) = pause_until {
                    tokio::select! {
                        () = tokio::time::sleep_until(until) => {}
                        () = stopping.cancelled() => return,
                    }
                }
            }
        });
        Ok(outlet)
    }

    /// Sends what is due, in batches. Answers until when to leave the server alone, if it could not be spoken to.
    async fn activate(&self, stopping: &tokio_util::sync::CancellationToken) -> Option<Instant> {
        for _ in 0..BATCHES {
            if stopping.is_cancelled() {
                return None;
            }
            let claimed = match self.store.mail_claim_batch(LEASE, AT_ONCE.into()).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "mails cannot be claimed; it is tried again"
                    );
                    return None;
                }
            };
            let of_server = join_all(claimed.iter().map(|claimed| self.send(claimed))).await;
            if of_server.contains(&true) {
                return Some(Instant::now() + SERVER_PAUSE);
            }
            if claimed.len() < usize::from(AT_ONCE) {
                return None;
            }
        }
        None
    }

    /// Makes one attempt, and writes down what came of it. Answers whether the server could not be spoken to at all.
    async fn send(&self, claimed: &ClaimedMail) -> bool {
        let kind = claimed.mail.as_ref().map_or("unreadable", |mail| mail.kind().word());
        let (mail, attempts) = (claimed.id, claimed.attempts);
        let (error, next, of_server) = match self.attempt(claimed).await {
            Ok(()) => {
                self.metrics.mails.sent.inc();
                tracing::info!(mail.id = %mail, kind, attempts, "mail sent");
                self.note(self.store.mail_sent(claimed).await, claimed);
                return false;
            }
            Err(Failed::NotOurs) => return false,
            Err(Failed::Store(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(mail.id = %mail, error, "a mail cannot be prepared; it is tried again");
                return false;
            }
            Err(Failed::Invalid(invalid)) => {
                self.metrics.mails.fail("invalid");
                (invalid.to_string(), None, false)
            }
            Err(Failed::Server(refused)) => {
                self.metrics.mails.fail(refused.stage.word());
                // The server's words may repeat the address, so they are for the list of mails and not for the log.
                tracing::warn!(
                    mail.id = %mail, kind, attempts, stage = refused.stage.word(), code = refused.code,
                    is_permanent = refused.is_permanent, "the mail server did not take a mail; `fleetctl get mails` says why"
                );
                let next = next_attempt(claimed.created_at, clock::now(), attempts, rand::random());
                let next = next.filter(|_| !refused.is_permanent);
                (refused.to_string(), next, refused.stage.is_of_server())
            }
        };
        if next.is_none() {
            self.metrics.mails.given_up.inc();
            tracing::warn!(mail.id = %mail, kind, attempts, "mail given up");
        }
        self.note(self.store.mail_failed(claimed, &error, next).await, claimed);
        of_server
    }

    async fn attempt(&self, claimed: &ClaimedMail) -> Result<(), Failed> {
        let mail = claimed.mail.as_ref().ok_or(Failed::Invalid(InvalidMail::Stored))?;
        let now = clock::now();
        let secret = match mail.kind().secret() {
            Some(_) => self.secret(claimed, mail.kind(), now).await?,
            None => SecretText::new(String::new()),
        };
        let links = Links { public_url: &self.public_url, secret: secret.expose() };
        let message = super::write(claimed.id, mail, &links, &self.from, &claimed.recipient, now);
        let message: Message = message.map_err(Failed::Invalid)?;
        self.smtp.send(&message).await.map_err(Failed::Server)?;
        Ok(())
    }

    /// Makes the secret of a mail's link. Only its hash is kept, and only from here on is it good.
    async fn secret(&self, claimed: &ClaimedMail, kind: MailKind, now: SystemTime) -> Result<SecretText, Failed> {
        let purpose = kind.secret().ok_or(Failed::Invalid(InvalidMail::Stored))?;
        let secret = SecretText::new(BASE64URL_NOPAD.encode(&random::<32>()));
        let hash = sha256(secret.expose().as_bytes());
        let issued = self.store.mail_secret_issue(claimed, purpose, &hash, now + purpose.lifetime()).await;
        if issued.map_err(Failed::Store)? { Ok(secret) } else { Err(Failed::NotOurs) }
    }

    /// What was to be written down of an attempt and was not is done again when the claim ends.
    fn note(&self, written: Result<bool, StoreError>, claimed: &ClaimedMail) {
        if let Err(error) = written {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(mail.id = %claimed.id, error, "what came of a mail was not written down; it is sent once more");
        }
    }
}
