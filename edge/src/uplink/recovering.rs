//! A new certificate for a key that the server knows.

use super::{Next, Uplink, refused_for};
use crate::agent_state::EnrollmentState;
use crate::enrollment::{EnrollmentError, TrustError, decide as decide_enrollment};
use crate::identity::DeviceRecord;
use crate::link::state::{STOPPED_LOOKS_AGAIN_AFTER, backoff};
use crate::recovery::Recovery;
use crate::trust::UntrustedChain;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;

impl Uplink<'_> {
    /// Proves the key in place of a certificate that is of no use any more.
    pub(super) async fn recover(&mut self) -> Result<DeviceRecord, EnrollmentError> {
        let recovery = Recovery {
            dialer: self.dialer,
            clock: &self.config.clock,
            address: &self.config.server,
            key: &self.identity.key,
        };
        let trust = self.trust.as_ref().ok_or(EnrollmentError::Trust(TrustError::Chain(UntrustedChain::Empty)))?;
        recovery.recover(trust).await
    }

    /// What follows a recovery: the link, another try, or enrolment where the server does not know this box. `None` when it gave up where
    /// it only had to enrol.
    pub(super) fn after_recovery(
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
        let (reason, message) = (decision.reason, error.sentence());
        // A recovery goes to a server that the box has verified, and this was its own answer to the box's proof.
        if refused_for(&error, ReasonCode::PeerIdentityWipe) {
            self.publish_wiping(message);
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
            self.publish_stopped(reason, message);
            return (!self.config.only_enroll).then_some((Next::Recover, STOPPED_LOOKS_AGAIN_AFTER));
        };
        tracing::info!(%reason, cause = %message, retry_after = ?wait, "no certificate yet");
        self.publish_offline(reason, message, wait);
        Some((Next::Recover, wait))
    }
}
