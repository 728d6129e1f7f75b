//! The side of the agent that faces the control plane: enrols when it must, keeps the link, and waits in between.

use crate::agent::AgentConfig;
use crate::agent_state::{EnrollmentState, LinkState};
use crate::decommission::Decommissioned;
use crate::dialer::{Dialer, TlsSetupError};
use crate::enrollment::{Enrollment, EnrollmentError, PendingEnrollment, decide as decide_enrollment, is_about_token};
use crate::facts::AGENT_VERSION;
use crate::identity::{DeviceRecord, Identity};
use crate::journal::{Class, Journal};
use crate::kept::STORE_RETRY;
use crate::link::outage::{EndedOutage, Outage};
use crate::link::session::{Change, Session, SessionEnd};
use crate::link::settings::HeldSettings;
use crate::link::state::{Decision, Failure, STABLE_AFTER, STOPPED_LOOKS_AGAIN_AFTER, backoff, decide};
use crate::link::transport::{self, with_sources};
use crate::published::Published;
use crate::recovery::Recovery;
use crate::remembered::Remembered;
use crate::state_dir::StateDir;
use crate::trust::{TrustChain, UntrustedChain};
use kaliun_proto::link::v1::{Hello, SpoolPosition};
use kaliun_types::limits::LINK_PROTOCOL;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What this agent can do, as Hello says it.
const CAPABILITIES: [&str; 3] = ["samples", "events", "settings"];

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
                    stop.run_until_cancelled(Box::pin(self.refresh_trust())).await?;
                    if self.trust.is_some() {
                        (next, trust_attempts) = (Next::Link, 0);
                        Duration::ZERO
                    } else {
                        trust_attempts += 1;
                        backoff(trust_attempts, rand::random())
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
                Next::Wipe => match Decommissioned::begin(self.state, self.name()) {
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

    async fn enroll(&mut self) -> Result<DeviceRecord, EnrollmentError> {
        let enrollment = Enrollment {
            dialer: self.dialer,
            clock: &self.config.clock,
            address: &self.config.server,
            key: &self.identity.key,
            join_token: self.config.join_token.as_ref(),
        };
        let mut trust = enrollment.learn_trust(self.first_hash, self.trust.clone()).await?;
        trust.keep(self.state);
        let fingerprint = self.identity.key.fingerprint();
        let published = self.published;
        // A box that waits for a person must not keep its place.
        let mut place = self.dialer.enrollments.acquire().await.ok();
        let on_pending = |pending: PendingEnrollment| {
            place = None;
            published.enrollment(EnrollmentState::Pending {
                claim_code: pending.claim_code,
                claim_url: pending.claim_url,
                expires_at_ms: pending.expires_at_ms,
                check: pending.check.map(|check| check.as_str().to_owned().into()).unwrap_or_default(),
                fingerprint: fingerprint.clone(),
            });
        };
        self.trust = Some(trust.clone());
        enrollment.enroll(&trust, self.journal.facts().facts, on_pending).await
    }

    /// Whether the server may have a device with this key, though the box lost what it was told of it: then its key proves that it is
    /// that one. A join token that is good says where the box belongs, which may be another organization than the device is in; one that
    /// is not taken any more says nothing.
    fn may_be_known(&self, outcome: &Result<DeviceRecord, EnrollmentError>) -> bool {
        let Err(error) = outcome else { return false };
        let is_in_use = refused_for(error, ReasonCode::EnrollmentKeyInUse) && self.config.join_token.is_none();
        self.trust.is_some() && (is_in_use || is_about_token(error))
    }

    /// Takes the outcome in. `None` when the box is enrolled, or when it gave up where it only had to enrol.
    fn after_enrollment(&mut self, outcome: Result<DeviceRecord, EnrollmentError>, attempts: u32) -> Option<Duration> {
        let error = match outcome {
            Ok(record) => {
                tracing::info!(device.id = %record.device_id, name = %record.name, "enrolled");
                self.take_record(record);
                return None;
            }
            Err(error) => error,
        };
        let decision = decide_enrollment(&error, attempts, rand::random());
        let message = error.sentence();
        match decision.retry_after {
            Some(wait) => {
                tracing::info!(reason = %decision.reason, cause = %message, retry_after = ?wait, "not enrolled yet");
            }
            None => {
                tracing::error!(reason = %decision.reason, cause = %message, "enrolment failed; somebody has to act")
            }
        }
        let tries_again = decision.retry_after.is_some();
        let waits_for_person = matches!(error, EnrollmentError::TimedOut) && tries_again;
        // A pending enrolment goes on under the same key; its code on the screen stays true.
        if !waits_for_person {
            self.published.enrollment(EnrollmentState::Failed { reason: decision.reason, message, tries_again });
        }
        if !tries_again && self.config.only_enroll {
            self.identity.record = None;
            return None;
        }
        Some(decision.retry_after.unwrap_or(STOPPED_LOOKS_AGAIN_AFTER))
    }

    /// Proves the key in place of a certificate that is of no use any more.
    async fn recover(&mut self) -> Result<DeviceRecord, EnrollmentError> {
        let recovery = Recovery {
            dialer: self.dialer,
            clock: &self.config.clock,
            address: &self.config.server,
            key: &self.identity.key,
        };
        let trust = self.trust.as_ref().ok_or(EnrollmentError::Trust(UntrustedChain::Empty))?;
        recovery.recover(trust).await
    }

    /// What follows a recovery: the link, another try, or enrolment where the server does not know this box. `None` when it gave up where
    /// it only had to enrol.
    fn after_recovery(
        &mut self,
        outcome: Result<DeviceRecord, EnrollmentError>,
        attempts: u32,
    ) -> Option<(Next, Duration)> {
        let error = match outcome {
            Ok(record) => {
                tracing::info!("a new certificate in place of one that was of no use");
                self.take_record(record);
                return Some((Next::Link, Duration::ZERO));
            }
            Err(error) => error,
        };
        if error.asks_for_trust() {
            // The link comes back here when the newer bundles do not help.
            return Some((Next::RefreshTrust, backoff(attempts, rand::random())));
        }
        let decision = decide_enrollment(&error, attempts, rand::random());
        let (reason, message, since_ms) = (decision.reason, error.sentence(), self.now_ms());
        // A recovery goes to a server that the box has verified, and this was its own answer to the box's proof.
        if refused_for(&error, ReasonCode::PeerIdentityWipe) {
            return Some((Next::Wipe, Duration::ZERO));
        }
        if reason == ReasonCode::PeerDeviceUnknown.code() {
            return Some((Next::Enroll, backoff(attempts, rand::random())));
        }
        let Some(wait) = decision.retry_after else {
            tracing::error!(%reason, cause = %message, "the box cannot get a certificate; somebody has to act");
            if self.config.only_enroll {
                let (reason, message) = (reason.clone(), message.clone());
                self.published.enrollment(EnrollmentState::Failed { reason, message, tries_again: false });
            }
            self.publish_out_of_service(&reason);
            self.published.link(LinkState::Stopped { reason, message, since_ms });
            return (!self.config.only_enroll).then_some((Next::Recover, STOPPED_LOOKS_AGAIN_AFTER));
        };
        tracing::info!(%reason, cause = %message, retry_after = ?wait, "no certificate yet");
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let next_try_at_ms = since_ms.saturating_add(wait_ms);
        self.published.link(LinkState::Offline { reason, message, since_ms, next_try_at_ms });
        Some((Next::Recover, wait))
    }

    /// A certificate in place of whatever there was.
    fn take_record(&mut self, record: DeviceRecord) {
        self.note_time(record.begins_at_ms);
        self.identity.take_record(self.state, record);
        self.publish_enrolled();
    }

    /// Opens and runs one session. `None` when the agent was asked to stop.
    async fn session(&mut self, outage: &mut Outage) -> Option<Failure> {
        let (Some(trust), Some(record)) = (&self.trust, self.identity.to_show()) else {
            return Some(Failure::UnusableIdentity { message: "The box has no certificate.".to_owned() });
        };
        let tls = match self.dialer.identified(trust, &self.config.clock, &self.identity.key, record) {
            Ok(tls) => tls,
            Err(error @ TlsSetupError::Authorities) => {
                return Some(Failure::UntrustedServer { message: with_sources(&error) });
            }
            Err(error @ (TlsSetupError::Certificate(_) | TlsSetupError::Provider(_))) => {
                return Some(Failure::UnusableIdentity { message: with_sources(&error) });
            }
        };
        let hello = self.hello();
        let facts_in_hello = self.journal.facts_hash();
        let opening = Box::pin(transport::open(self.dialer, &self.config.server, tls, hello));
        let (stream, welcome) = match self.stop.run_until_cancelled(opening).await? {
            Ok(opened) => opened,
            Err(failure) => {
                return Some(if failure.is_about_certificate() { self.fall_back(failure) } else { failure });
            }
        };
        self.commit_candidate();
        self.note_time(welcome.now_ms);
        self.publish_enrolled();
        tracing::info!(epoch = welcome.session_epoch, "link is up");
        self.published.link(LinkState::Online { epoch: welcome.session_epoch, since_ms: self.now_ms() });
        self.remember(welcome.incarnation, welcome.session_epoch);
        self.tell_outage_ended(outage.ended(self.now_ms())).await;
        let (journal, published) = (self.journal, self.published);
        let (interval, is_overridden) = (self.interval, self.config.sample_interval.is_some());
        let trust = self.trust.as_mut()?;
        let session = Session {
            journal,
            state: self.state,
            settings: &mut self.settings,
            identity: &mut self.identity,
            trust,
            clock: &self.config.clock,
            on_change: |change| match change {
                Change::Acknowledged(class) => published.spool(journal, class),
                Change::SampleInterval(new) if !is_overridden => {
                    interval.send_replace(new);
                }
                Change::SampleInterval(_) => {}
            },
        };
        match Box::pin(session.run(stream, &welcome, facts_in_hello, self.stop)).await {
            SessionEnd::Stopped => None,
            SessionEnd::Failed(failure) => Some(failure),
        }
    }

    /// Takes note of a time that the server said.
    fn note_time(&mut self, said_ms: i64) {
        let clock_ms = self.now_ms();
        let Some(trust) = self.trust.as_mut() else { return };
        trust.note_time(self.state, said_ms, clock_ms);
    }

    /// A session has begun: the certificate that was shown is good.
    fn commit_candidate(&mut self) {
        if self.identity.commit(self.state) {
            tracing::info!("the next certificate is in use");
        }
    }

    /// The server does not take the certificate that was shown: if it was the next one, the one before it counts.
    fn fall_back(&mut self, failure: Failure) -> Failure {
        if !self.identity.fall_back(self.state) {
            return failure;
        }
        Failure::NotRenewed { message: format!("The next certificate is not taken: {}", failure.message()) }
    }

    fn after_session(&self, failure: &Failure, attempts: u32) -> (Next, Duration) {
        let decision = decide(failure, attempts, rand::random());
        let message = failure.message();
        let since_ms = self.now_ms();
        let (next, wait, reason) = match decision {
            Decision::Retry { after, reason } => (Next::Link, after, reason),
            Decision::RefreshTrust { after, reason } => (Next::RefreshTrust, after, reason),
            Decision::Recover { after, reason } => (Next::Recover, after, reason),
            Decision::Reenroll { after, reason } => (Next::Enroll, after, reason),
            Decision::Wipe { reason } => {
                tracing::warn!(%reason, cause = %message, "the box shall delete its identity");
                return (Next::Wipe, Duration::ZERO);
            }
            Decision::Stop { reason } => {
                tracing::error!(%reason, cause = %message, "link stopped; somebody has to act");
                self.publish_out_of_service(reason.code());
                let reason = reason.code().to_owned();
                self.published.link(LinkState::Stopped { reason, message, since_ms });
                return (Next::Link, STOPPED_LOOKS_AGAIN_AFTER);
            }
        };
        tracing::info!(%reason, cause = %message, retry_after = ?wait, "link is down");
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.published.link(LinkState::Offline {
            reason: reason.code().to_owned(),
            message,
            since_ms,
            next_try_at_ms: since_ms.saturating_add(wait_ms),
        });
        (next, wait)
    }

    async fn refresh_trust(&mut self) {
        let enrollment = Enrollment {
            dialer: self.dialer,
            clock: &self.config.clock,
            address: &self.config.server,
            key: &self.identity.key,
            join_token: None,
        };
        let learned = Box::pin(enrollment.learn_trust(self.first_hash, self.trust.clone())).await;
        match learned {
            Ok(mut trust) => {
                trust.keep(self.state);
                self.trust = Some(trust);
            }
            Err(error) => tracing::warn!(error = %with_sources(&error), "trust bundles were not renewed"),
        }
    }

    fn hello(&self) -> Hello {
        let spools = Class::ALL.map(|class| {
            let position = self.journal.position(class);
            let (first_sequence, last_sequence) = position.kept.unwrap_or((0, 0));
            SpoolPosition {
                item_class: class.wire().into(),
                spool_id: position.spool_id.to_vec(),
                first_sequence,
                last_sequence,
                dropped_count: position.dropped,
            }
        });
        let remembered = Remembered::load(self.state);
        Hello {
            protocol: LINK_PROTOCOL,
            agent_version: AGENT_VERSION.to_owned(),
            boot_id: self.boot_id.to_owned(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            settings_generation: self.settings.generation(),
            settings_hash: self.settings.hash().to_vec(),
            facts_hash: self.journal.facts_hash().to_vec(),
            spools: spools.to_vec(),
            incarnation: remembered.incarnation,
            now_ms: self.now_ms(),
            trust_bundle_version: self.trust.as_ref().map_or(0, TrustChain::version),
            session_epoch: remembered.session_of(self.identity.record.as_ref().map(|record| record.device_id)),
        }
    }

    /// Keeps what a server that came back from a backup would not know.
    fn remember(&self, incarnation: u64, epoch: u64) {
        let Some(record) = &self.identity.record else { return };
        if let Err(error) = Remembered::welcomed(self.state, incarnation, epoch, record.device_id) {
            tracing::error!(error = %with_sources(&error), "the session's number cannot be stored");
        }
    }

    async fn tell_outage(&self, outage: &mut Outage) {
        if let Some(since_ms) = outage.failed(self.now_ms()) {
            let message =
                format!("The control plane has not been reached for {}.", duration_words(self.now_ms() - since_ms));
            self.event(self.now_ms(), ReasonCode::NetworkFailed, &message).await;
        }
    }

    async fn tell_outage_ended(&self, ended: Option<EndedOutage>) {
        let Some(EndedOutage { since_ms, was_told }) = ended else {
            return;
        };
        if !was_told {
            self.event(since_ms, ReasonCode::NetworkFailed, "The control plane could not be reached any more.").await;
        }
        let message = format!("The control plane is reached again after {}.", duration_words(self.now_ms() - since_ms));
        self.event(self.now_ms(), ReasonCode::NetworkRestored, &message).await;
    }

    async fn event(&self, happened_at_ms: i64, reason: ReasonCode, message: &str) {
        if let Err(error) = self.journal.append_event(happened_at_ms, reason, message).await {
            tracing::error!(error = %with_sources(&error), "an event could not be spooled and is lost");
        }
        self.published.spool(self.journal, Class::Events);
    }
}

/// Whether a server's own answer was that.
fn refused_for(error: &EnrollmentError, expected: ReasonCode) -> bool {
    matches!(error, EnrollmentError::Refused { reason, .. } if reason == expected.code())
}

/// Whether the server has no device with the key that was proved.
fn is_unknown(recovered: &Result<DeviceRecord, EnrollmentError>) -> bool {
    recovered.as_ref().is_err_and(|error| refused_for(error, ReasonCode::PeerDeviceUnknown))
}

fn duration_words(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, _) => format!("{minutes} min"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
