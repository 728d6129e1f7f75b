//! Getting the certificate, and what follows when there is none.

use super::{Uplink, refused_for};
use crate::agent_state::EnrollmentState;
use crate::enrollment::{
    Enrollment, EnrollmentError, PendingEnrollment, TrustError, decide as decide_enrollment, is_about_token,
};
use crate::identity::DeviceRecord;
use crate::link::state::STOPPED_LOOKS_AGAIN_AFTER;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;

impl Uplink<'_> {
    pub(super) async fn enroll(&mut self) -> Result<DeviceRecord, EnrollmentError> {
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
    pub(super) fn may_be_known(&self, outcome: &Result<DeviceRecord, EnrollmentError>) -> bool {
        let Err(error) = outcome else { return false };
        let is_in_use = refused_for(error, ReasonCode::EnrollmentKeyInUse) && self.config.join_token.is_none();
        self.trust.is_some() && (is_in_use || is_about_token(error))
    }

    /// Takes the outcome in. `None` when the box is enrolled, or when it gave up where it only had to enrol.
    pub(super) fn after_enrollment(
        &mut self,
        outcome: Result<DeviceRecord, EnrollmentError>,
        attempts: u32,
    ) -> Option<Duration> {
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
        // Whoever runs the program to enrol wants to hear that the hash is wrong; a box that runs asks again.
        let gives_up = self.config.only_enroll && matches!(error, EnrollmentError::Trust(TrustError::Chain(_)));
        let retry_after = decision.retry_after.filter(|_| !gives_up);
        match retry_after {
            Some(wait) => {
                tracing::info!(reason = %decision.reason, cause = %message, retry_after = ?wait, "not enrolled yet");
            }
            None => {
                tracing::error!(reason = %decision.reason, cause = %message, "enrolment failed; somebody has to act")
            }
        }
        let tries_again = retry_after.is_some();
        let is_timeout = matches!(error, EnrollmentError::TimedOut | EnrollmentError::Trust(TrustError::TimedOut));
        let waits_for_person = is_timeout && tries_again;
        // A pending enrolment goes on under the same key; its code on the screen stays true.
        if !waits_for_person {
            self.published.enrollment(EnrollmentState::Failed { reason: decision.reason, message, tries_again });
        }
        if !tries_again && self.config.only_enroll {
            self.identity.record = None;
            return None;
        }
        Some(retry_after.unwrap_or(STOPPED_LOOKS_AGAIN_AFTER))
    }
}
