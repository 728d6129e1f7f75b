//! One session from Welcome to its end. One task owns the stream; this is the part of it that runs while it is open.

use super::outbox::Outbox;
use super::renewal::Renewal;
use super::settings::{HeldSettings, Verdict};
use super::state::Failure;
use super::transport::{OpenStream, ended, with_sources};
use crate::clock::Clock;
use crate::identity::Identity;
use crate::journal::{Class, Journal};
use crate::kept::STORE_RETRY;
use crate::state_dir::StateDir;
use crate::trust::TrustChain;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::link::v1::server_message::Message as Incoming;
use kaliun_proto::link::v1::{DeviceMessage, ServerMessage, Welcome};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

/// How long an orderly end waits for the server to see it.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// What a session works with. Borrowed from the agent, which outlives it.
#[derive(Debug)]
pub struct Session<'a, F> {
    /// What the box has to tell.
    pub journal: &'a Journal,
    /// Where settings are stored before they are applied.
    pub state: &'a StateDir,
    /// The settings in force.
    pub settings: &'a mut HeldSettings,
    /// The box's key and certificates.
    pub identity: &'a mut Identity,
    /// Whom the box believes.
    pub trust: &'a mut TrustChain,
    /// What time it is.
    pub clock: &'a Clock,
    /// Told when something changed that others may want to know.
    pub on_change: F,
}

/// What changed in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Items of a class are stored.
    Acknowledged(Class),
    /// The time between samples may be another now.
    SampleInterval(Duration),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// It broke, or the server ended it.
    Failed(Failure),
    /// The agent was asked to stop.
    Stopped,
}

impl<F: FnMut(Change)> Session<'_, F> {
    /// Runs until the session ends.
    pub async fn run(
        mut self,
        mut stream: OpenStream,
        welcome: &Welcome,
        facts_in_hello: [u8; 32],
        stop: &CancellationToken,
    ) -> SessionEnd {
        let mut outbox = match Outbox::begin(self.journal, welcome, facts_in_hello, Instant::now()) {
            Ok(outbox) => outbox,
            Err(failure) => return SessionEnd::Failed(failure),
        };
        for class in Class::ALL {
            (self.on_change)(Change::Acknowledged(class));
        }
        let (outgoing, incoming) = stream.halves();
        let exchanged = match outgoing {
            Some(outgoing) => self.exchange(outgoing, incoming, &mut outbox, welcome, stop).await,
            None => Err(Failure::Closed),
        };
        match exchanged {
            Ok(()) => {
                stream.close(CLOSE_PATIENCE).await;
                SessionEnd::Stopped
            }
            Err(failure) => {
                // After a drain, and when it was our wish, the server waits for our side to end; else nobody is there.
                if matches!(failure, Failure::Drained { .. } | Failure::Renewed) {
                    stream.close(CLOSE_PATIENCE).await;
                }
                SessionEnd::Failed(failure)
            }
        }
    }

    async fn exchange(
        &mut self,
        outgoing: &mpsc::Sender<Box<DeviceMessage>>,
        incoming: &mut Streaming<ServerMessage>,
        outbox: &mut Outbox,
        welcome: &Welcome,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let heartbeat_interval = Duration::from_millis(u64::from(welcome.heartbeat_interval_ms));
        let idle_timeout = Duration::from_millis(u64::from(welcome.idle_timeout_ms));
        let mut heard_at = Instant::now();
        let mut sent_at = Instant::now();
        let mut pending = None;
        let mut moves = self.clock.moves();
        let mut renewal = Renewal::begin(welcome, self.clock, heard_at);
        let mut stores_at = heard_at + STORE_RETRY;
        loop {
            let now = Instant::now();
            if renewal.is_due(self.identity.record.as_ref(), self.clock, now) {
                self.want_certificate(outbox).await;
            }
            if pending.is_none() {
                pending = outbox.next(self.journal, self.clock.now_ms(), now)?;
            }
            let silence_ends = heard_at + idle_timeout;
            let (heartbeat_at, look_again_at) = if outbox.has_heartbeat() || pending.is_some() {
                // Something is on its way out already and will do as well.
                (silence_ends, silence_ends)
            } else {
                (sent_at + heartbeat_interval, outbox.held_until(self.journal, now).unwrap_or(silence_ends))
            };
            let is_stored = self.identity.is_stored() && self.trust.is_stored();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                received = incoming.message() => {
                    let message = received.map_err(ended)?.ok_or(Failure::Closed)?;
                    heard_at = Instant::now();
                    self.receive(message, outbox, &mut renewal).await?;
                }
                permit = outgoing.reserve(), if pending.is_some() => match permit {
                    Ok(permit) => {
                        if let Some(message) = pending.take() {
                            permit.send(Box::new(message));
                            sent_at = Instant::now();
                        }
                    }
                    // Our side was torn down; the server's side says why.
                    Err(_) => return Err(last_word(incoming, silence_ends).await),
                },
                () = self.journal.changed(), if pending.is_none() => {}
                Ok(()) = moves.changed() => renewal.clock_moved(Instant::now()),
                () = tokio::time::sleep_until(stores_at), if !is_stored => {
                    self.identity.keep(self.state);
                    self.trust.keep(self.state);
                    stores_at = Instant::now() + STORE_RETRY;
                }
                () = tokio::time::sleep_until(silence_ends.min(heartbeat_at).min(look_again_at).min(renewal.looks_at())) => {
                    let now = Instant::now();
                    if now >= silence_ends {
                        return Err(Failure::Idle);
                    }
                    if now >= heartbeat_at {
                        outbox.want_heartbeat();
                    }
                }
            }
        }
    }

    async fn receive(
        &mut self,
        message: ServerMessage,
        outbox: &mut Outbox,
        renewal: &mut Renewal,
    ) -> Result<(), Failure> {
        // A kind of a newer version is passed over; it would not have been sent if it mattered to this one.
        let Some(message) = message.message else {
            return Ok(());
        };
        match message {
            Incoming::Welcome(_) => return Err(Failure::BrokenProtocol { message: "a second welcome" }),
            Incoming::Heartbeat(_) => {}
            Incoming::Acknowledged(acknowledged) => {
                if let Some(class) = outbox.acknowledge(self.journal, &acknowledged)? {
                    (self.on_change)(Change::Acknowledged(class));
                }
            }
            Incoming::SendFacts(_) => outbox.want_facts(),
            Incoming::RenewCertificate(_) => {
                self.want_certificate(outbox).await;
                renewal.asked(Instant::now());
            }
            Incoming::Certificate(certificate) => {
                match self.identity.take_candidate(self.state, certificate.certificate_chain) {
                    Ok(()) => return Err(Failure::Renewed),
                    Err(error) => tracing::error!(error = %with_sources(&error), "the next certificate was not taken"),
                }
            }
            Incoming::TrustBundles(told) => {
                self.take_bundles(told.bundles);
                outbox.want_trust_held(self.trust.version());
            }
            Incoming::Settings(settings) => {
                let failure = self.take_settings(settings);
                outbox.want_settings_applied(self.settings.report(failure, self.clock.now_ms()));
            }
            Incoming::Drain(drain) => {
                // At most ten minutes, as the contract says.
                let reconnect_after = Duration::from_millis(u64::from(drain.reconnect_after_ms.min(600_000)));
                return Err(Failure::Drained { reconnect_after });
            }
        }
        Ok(())
    }

    /// Where the key takes its time the session waits: that is shorter than any heartbeat.
    async fn want_certificate(&self, outbox: &mut Outbox) {
        match self.identity.key.certificate_request().await {
            Ok(request) => outbox.want_certificate(request),
            Err(error) => tracing::error!(error = %with_sources(&error), "the next certificate cannot be asked for"),
        }
    }

    /// Adds newer bundles to the chain. Should the box start again before they could be stored, its older ones lead it to them.
    fn take_bundles(&mut self, bundles: Vec<SignedTrustBundle>) {
        match self.trust.extend_by_newer(bundles) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(version = self.trust.version(), "trust bundle taken");
                self.trust.keep(self.state);
            }
            Err(error) => tracing::error!(%error, "newer trust bundles do not hold and are passed over"),
        }
    }

    /// Stores settings, then applies them. Gives why they were not taken.
    fn take_settings(&mut self, settings: kaliun_proto::link::v1::Settings) -> Option<String> {
        let problem = match self.settings.judge(settings) {
            Verdict::Held => return None,
            Verdict::Refused(problem) => problem,
            Verdict::Apply(new) => match new.store(self.state) {
                Err(error) => format!("They cannot be stored: {}.", with_sources(&error)),
                Ok(()) => {
                    tracing::info!(generation = new.generation(), "settings applied");
                    (self.on_change)(Change::SampleInterval(new.sample_interval()));
                    *self.settings = new;
                    return None;
                }
            },
        };
        tracing::warn!(cause = %problem, "settings refused");
        Some(problem)
    }
}

/// Why the server ended a stream whose other half is gone already.
async fn last_word(incoming: &mut Streaming<ServerMessage>, deadline: Instant) -> Failure {
    let ended_with = async {
        loop {
            match incoming.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Failure::Closed,
                Err(status) => return ended(status),
            }
        }
    };
    tokio::time::timeout_at(deadline, ended_with).await.unwrap_or(Failure::Idle)
}

#[cfg(test)]
mod tests;
