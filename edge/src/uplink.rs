//! The side of the agent that faces the control plane: enrols when it must, keeps the link, and waits in between.

mod enrolling;
mod linking;
mod recovering;
mod telling;
mod trusting;
mod wiping;

use crate::agent::AgentConfig;
use crate::agent_state::{EnrollmentState, LinkState};
use crate::decommission::Decommissioned;
use crate::dialer::Dialer;
use crate::enrollment::{EnrollmentError, is_about_token};
use crate::identity::{DeviceRecord, Identity};
use crate::journal::Journal;
use crate::kept::STORE_RETRY;
use crate::link::outage::Outage;
use crate::link::settings::HeldSettings;
use crate::link::state::{STABLE_AFTER, STOPPED_LOOKS_AGAIN_AFTER};
use crate::link::transport::with_sources;
use crate::published::Published;
use crate::state_dir::StateDir;
use crate::trust::TrustChain;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trusting::Refreshed;

/// Owns the identity, the trust and the settings of one box while it runs.
#[derive(Debug)]
pub(crate) struct Uplink<'a> {
    pub(crate) config: &'a AgentConfig,
    pub(crate) state: &'a StateDir,
    pub(crate) dialer: &'a Dialer,
    pub(crate) journal: &'a Journal,
    pub(crate) published: &'a Published,
    pub(crate) interval: &'a watch::Sender<Duration>,
    pub(crate) boot_id: &'a str,
    pub(crate) identity: Identity,
    pub(crate) trust: Option<TrustChain>,
    pub(crate) first_hash: [u8; 32],
    /// Why the box got no newer trust bundles when it asked last.
    pub(crate) trust_problem: Option<String>,
    pub(crate) settings: HeldSettings,
    pub(crate) stop: &'a CancellationToken,
}

/// What the next round does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Enroll,
    Link,
    RefreshTrust,
    Recover,
    Wipe,
}

impl Uplink<'_> {
    /// Runs until the agent is asked to stop, or is done where it only had to enrol. Answers the order to delete the identity, where
    /// one came.
    pub(crate) async fn run(&mut self) -> Option<Decommissioned> {
        let mut next = match (&self.identity.record, &self.trust) {
            (Some(_), Some(_)) => Next::Link,
            // The bundles got lost. What the box was given at its beginning tells them from false ones.
            (Some(_), None) => Next::RefreshTrust,
            (None, _) => Next::Enroll,
        };
        // Counted apart, and the link's only begin again after a session that lasted: a server that enrols a box and refuses
        // it right after must not be asked every second.
        let (mut enroll_attempts, mut link_attempts, mut recover_attempts, mut trust_attempts) = (0, 0, 0, 0);
        // Why the server did not take the join token, while the box asks whether its key is known all the same.
        let mut token_refusal = None;
        let mut outage = Outage::begin(self.now_ms());
        self.publish_enrolled();
        let stop = self.stop;
        while !self.stop.is_cancelled() && (next != Next::Link || !self.config.only_enroll) {
            self.keep();
            let wait = match next {
                Next::Enroll => {
                    enroll_attempts += 1;
                    let enrolled = stop.run_until_cancelled(Box::pin(self.enroll())).await?;
                    if self.may_be_known(&enrolled) {
                        (next, token_refusal) = (Next::Recover, enrolled.err().filter(is_about_token));
                        continue;
                    }
                    match self.after_enrollment(enrolled, enroll_attempts) {
                        None if self.config.only_enroll && !self.is_enrolled() => return None,
                        None => {
                            (next, enroll_attempts) = (Next::Link, 0);
                            Duration::ZERO
                        }
                        Some(wait) => wait,
                    }
                }
                Next::RefreshTrust => {
                    trust_attempts += 1;
                    match stop.run_until_cancelled(Box::pin(self.refresh_trust(trust_attempts))).await? {
                        Refreshed::Held => {
                            (next, trust_attempts) = (Next::Link, 0);
                            Duration::ZERO
                        }
                        Refreshed::Again(wait) => wait,
                        Refreshed::GivenUp => return None,
                    }
                }
                Next::Recover => {
                    recover_attempts += 1;
                    let recovered = stop.run_until_cancelled(Box::pin(self.recover())).await?;
                    let wait;
                    (next, wait) = match token_refusal.take_if(|_| is_unknown(&recovered)) {
                        // The box is nobody's: what was said of its token stands.
                        Some(refusal) => (Next::Enroll, self.after_enrollment(Err(refusal), enroll_attempts)?),
                        None => self.after_recovery(recovered, recover_attempts)?,
                    };
                    if next == Next::Link {
                        (recover_attempts, token_refusal) = (0, None);
                    }
                    wait
                }
                Next::Link => {
                    let begun = Instant::now();
                    let failure = self.session(&mut outage).await?;
                    link_attempts = if begun.elapsed() >= STABLE_AFTER { 1 } else { link_attempts + 1 };
                    self.tell_outage(&mut outage).await;
                    let wait;
                    (next, wait) = self.after_session(&failure, link_attempts);
                    wait
                }
                Next::Wipe => match self.begin_wiping() {
                    Ok(marker) => return Some(marker),
                    Err(error) => {
                        tracing::error!(error = %with_sources(&error), "the order to delete the identity cannot be stored yet");
                        STORE_RETRY
                    }
                },
            };
            stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
        if self.config.only_enroll {
            self.store_enrolled().await;
        }
        None
    }

    /// Tries once more to store what could not be stored.
    fn keep(&mut self) {
        self.identity.keep(self.state);
        if let Some(trust) = &mut self.trust {
            trust.keep(self.state);
        }
    }

    /// Waits until what enrolment gave is stored, for this process ends now.
    async fn store_enrolled(&mut self) {
        let stop = self.stop;
        while !(self.identity.is_stored() && self.trust.as_ref().is_none_or(TrustChain::is_stored)) {
            let reason = ReasonCode::DiskFull;
            let message = "The box's certificate cannot be stored; free some space.".to_owned();
            self.published.enrollment(EnrollmentState::Failed {
                reason: reason.code().to_owned(),
                message,
                tries_again: true,
            });
            if stop.run_until_cancelled(tokio::time::sleep(STORE_RETRY)).await.is_none() {
                return;
            }
            self.keep();
        }
        self.publish_enrolled();
    }

    fn name(&self) -> &str {
        self.identity.record.as_ref().map_or("", |record| record.name.as_str())
    }

    /// The box has no right to connect any more, and keeps its key.
    fn publish_out_of_service(&self, reason: &str) {
        if reason == ReasonCode::PeerDeviceDecommissioned.code() {
            let name = self.name().to_owned();
            self.published.enrollment(EnrollmentState::Decommissioned { name, at_ms: self.now_ms(), is_wiped: false });
        }
    }

    /// There is no session, and the box tries again after that long.
    fn publish_offline(&self, reason: String, message: String, wait: Duration) {
        let since_ms = self.now_ms();
        let next_try_at_ms = after_ms(since_ms, wait);
        self.published.link(LinkState::Offline { reason, message, since_ms, next_try_at_ms });
    }

    /// Somebody has to act, and the box looks each hour whether they have.
    fn publish_stopped(&self, reason: String, message: String) {
        let since_ms = self.now_ms();
        let next_try_at_ms = Some(after_ms(since_ms, STOPPED_LOOKS_AGAIN_AFTER));
        self.published.link(LinkState::Stopped { reason, message, since_ms, next_try_at_ms });
    }

    fn now_ms(&self) -> i64 {
        self.config.clock.now_ms()
    }

    fn is_enrolled(&self) -> bool {
        self.identity.record.is_some()
    }

    fn publish_enrolled(&self) {
        if let Some(record) = &self.identity.record {
            self.published.enrollment(EnrollmentState::Enrolled {
                device_id: record.device_id.to_string(),
                name: record.name.clone(),
                certificate_begins_at_ms: record.begins_at_ms,
                certificate_expires_at_ms: record.expires_at_ms,
            });
        }
    }

    /// A certificate in place of whatever there was.
    fn take_record(&mut self, record: DeviceRecord) {
        self.note_time(record.begins_at_ms);
        self.identity.take_record(self.state, record);
        self.publish_enrolled();
    }

    /// Takes note of a time that the server said.
    fn note_time(&mut self, said_ms: i64) {
        let clock_ms = self.now_ms();
        let Some(trust) = self.trust.as_mut() else { return };
        trust.note_time(self.state, said_ms, clock_ms);
    }
}

fn after_ms(now_ms: i64, wait: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}

/// Whether a server's own answer was that.
fn refused_for(error: &EnrollmentError, expected: ReasonCode) -> bool {
    matches!(error, EnrollmentError::Refused { reason, .. } if reason == expected.code())
}

/// Whether the server has no device with the key that was proved.
fn is_unknown(recovered: &Result<DeviceRecord, EnrollmentError>) -> bool {
    recovered.as_ref().is_err_and(|error| refused_for(error, ReasonCode::PeerDeviceUnknown))
}
