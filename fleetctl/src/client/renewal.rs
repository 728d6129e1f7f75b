//! A person's session whose tokens are renewed: before they run out, and when the server refuses one.
//!
//! A refresh token works once, and one that comes back ends the session. So it is used by one fleetctl at a time, under the lock of the
//! configuration file, and whoever waited for the lock reads what the other has got. The new tokens are in the file before anything is done with them.

use crate::config::{self, Locked};
use crate::failure::{Failure, Kind, from_status};
use crate::settings::{Server, StoredSession};
use kaliun_proto::fleet::v1::login_service_client::LoginServiceClient;
use kaliun_proto::fleet::v1::{LoginTokens, RefreshLoginRequest};
use kaliun_types::secret::SecretText;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Mutex;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// An access token is renewed when it is good for less than this, so that it does not run out on its way.
const MARGIN_MS: i64 = 30_000;
/// Longest wait for new tokens. It does not depend on --timeout, for an answer that is not waited for costs the session.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Longest wait for another fleetctl that renews: one answer, and some disk.
const LOCK_MAX: Duration = Duration::from_secs(20);
/// Longest that a renewal takes in all.
pub(super) const PATIENCE: Duration = LOCK_MAX.saturating_add(ANSWER_MAX);

/// The session of a context.
pub(super) struct Renewal {
    file: PathBuf,
    context: String,
    server: Server,
    clock: fn() -> i64,
    /// Held while a renewal is under way, so that calls side by side wait for the one renewal.
    session: Mutex<config::Session>,
}

impl Renewal {
    pub(super) fn new(stored: &StoredSession, server: &Server, clock: fn() -> i64) -> Self {
        Self {
            file: stored.file.clone(),
            context: stored.context.clone(),
            server: server.clone(),
            clock,
            session: Mutex::new(stored.session.clone()),
        }
    }

    /// An access token that is good for a while.
    pub(super) async fn token(&self, channel: &Channel) -> Result<SecretText, Status> {
        let mut session = self.session.lock().await;
        if !self.runs_out(&session) {
            return Ok(session.access_token.clone());
        }
        match self.renew(channel, &mut session).await {
            // It is early yet: what hinders now may be over when it is needed.
            Err(status) if status.code() == Code::Unavailable && (self.clock)() < session.access_expires_at_ms => {
                Ok(session.access_token.clone())
            }
            renewed => renewed.map(|()| session.access_token.clone()),
        }
    }

    /// Another access token than the one that was refused.
    pub(super) async fn token_after(&self, channel: &Channel, refused: &SecretText) -> Result<SecretText, Status> {
        let mut session = self.session.lock().await;
        if session.access_token == *refused {
            self.renew(channel, &mut session).await?;
        }
        Ok(session.access_token.clone())
    }

    fn runs_out(&self, session: &config::Session) -> bool {
        session.access_expires_at_ms.saturating_sub((self.clock)()) < MARGIN_MS
    }

    /// Gets other tokens than these: those that another fleetctl has got meanwhile, or new ones.
    async fn renew(&self, channel: &Channel, session: &mut config::Session) -> Result<(), Status> {
        let local = |failure: Failure| failure.carried(Code::FailedPrecondition);
        let locked = Locked::wait(&self.file, LOCK_MAX).await.map_err(local)?;
        let mut config = locked.load().map_err(local)?;
        let is_current = config.current.as_ref() == Some(&self.context);
        let over = |message| {
            let hint = if is_current { String::new() } else { format!(" --context {}", self.context) };
            Failure::new(Kind::Denied, message, format!("run `fleetctl login{hint}`")).carried(Code::Unauthenticated)
        };
        let stored = config
            .contexts
            .get_mut(&self.context)
            .filter(|context| Server::parse(&context.server).is_ok_and(|server| server == self.server))
            .and_then(|context| context.session.as_mut())
            .ok_or_else(|| over("somebody signed out meanwhile"))?;
        if stored.access_token != session.access_token && !self.runs_out(stored) {
            *session = stored.clone();
            return Ok(());
        }
        locked.check_writable().map_err(local)?;
        match refresh(channel, &stored.refresh_token).await {
            Ok(tokens) => {
                *stored = renewed(&stored.email, tokens, (self.clock)());
                let new = stored.clone();
                locked.replace(&config).map_err(local)?;
                *session = new;
                Ok(())
            }
            Err(status) if status.code() == Code::Unauthenticated => {
                if let Some(context) = config.contexts.get_mut(&self.context) {
                    context.session = None;
                }
                // What remains in the file when it cannot be written is of no use to anybody.
                let _useless_tokens_stay = locked.replace(&config);
                Err(over("your session is over"))
            }
            Err(status) => Err(from_status("renew your session", &status).carried(status.code())),
        }
    }
}

/// A session with these tokens, whose access token counts from now on.
pub(crate) fn renewed(email: &str, tokens: LoginTokens, now_ms: i64) -> config::Session {
    config::Session {
        email: email.to_owned(),
        access_token: SecretText::new(tokens.access_token),
        access_expires_at_ms: now_ms.saturating_add(i64::from(tokens.expires_in_seconds) * 1_000),
        refresh_token: SecretText::new(tokens.refresh_token),
        expires_at_ms: tokens.session_expires_at_ms,
    }
}

async fn refresh(channel: &Channel, token: &SecretText) -> Result<LoginTokens, Status> {
    let message = RefreshLoginRequest { refresh_token: token.expose().to_owned() };
    let mut client = LoginServiceClient::new(channel.clone());
    match tokio::time::timeout(ANSWER_MAX, client.refresh_login(Request::new(message))).await {
        Ok(Ok(answer)) => {
            answer.into_inner().tokens.ok_or_else(|| Status::internal("the server's answer holds no tokens"))
        }
        Ok(Err(status)) => Err(status),
        Err(_) => Err(Status::unavailable(format!("no answer within {ANSWER_MAX:?}"))),
    }
}
