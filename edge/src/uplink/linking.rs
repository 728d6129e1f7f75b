//! One session, from its beginning to what follows it.

use super::{Next, Uplink};
use crate::agent_state::LinkState;
use crate::dialer::TlsSetupError;
use crate::facts::{AGENT_VERSION, clip};
use crate::journal::Class;
use crate::link::outage::Outage;
use crate::link::session::{Change, Session, SessionEnd};
use crate::link::state::{Decision, Failure, STOPPED_LOOKS_AGAIN_AFTER, decide};
use crate::link::transport::{self, with_sources};
use crate::remembered::Remembered;
use crate::trust::TrustChain;
use kaliun_proto::link::v1::{Hello, SpoolPosition};
use kaliun_types::limits::{LINK_PROTOCOL, REASON_MESSAGE_MAX_BYTES};
use std::time::Duration;

/// What this agent can do, as Hello says it.
const CAPABILITIES: [&str; 3] = ["samples", "events", "settings"];

impl Uplink<'_> {
    /// Opens and runs one session. `None` when the agent was asked to stop.
    pub(super) async fn session(&mut self, outage: &mut Outage) -> Option<Failure> {
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
        self.trust_problem = None;
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

    pub(super) fn after_session(&self, failure: &Failure, attempts: u32) -> (Next, Duration) {
        let decision = decide(failure, attempts, rand::random());
        let message = self.with_trust_problem(failure);
        let (next, wait, reason) = match decision {
            Decision::Retry { after, reason } => (Next::Link, after, reason),
            Decision::RefreshTrust { after, reason } => (Next::RefreshTrust, after, reason),
            Decision::Recover { after, reason } => (Next::Recover, after, reason),
            Decision::Reenroll { after, reason } => (Next::Enroll, after, reason),
            Decision::Wipe { reason } => {
                tracing::warn!(%reason, cause = %message, "the box shall delete its identity");
                self.publish_wiping(message);
                return (Next::Wipe, Duration::ZERO);
            }
            Decision::Stop { reason } => {
                tracing::error!(%reason, cause = %message, "link stopped; somebody has to act");
                self.publish_out_of_service(reason.code());
                self.publish_stopped(reason.code().to_owned(), message);
                return (Next::Link, STOPPED_LOOKS_AGAIN_AFTER);
            }
        };
        tracing::info!(%reason, cause = %message, retry_after = ?wait, "link is down");
        self.publish_offline(reason.code().to_owned(), message, wait);
        (next, wait)
    }

    /// What went wrong, and why newer bundles did not mend it.
    fn with_trust_problem(&self, failure: &Failure) -> String {
        let message = failure.message();
        let is_about_trust = matches!(failure, Failure::UntrustedServer { .. } | Failure::ServerNotValidNow { .. });
        match self.trust_problem.as_ref().filter(|_| is_about_trust) {
            Some(problem) => clip(&format!("{problem}; {message}"), REASON_MESSAGE_MAX_BYTES).to_owned(),
            None => message,
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
}
