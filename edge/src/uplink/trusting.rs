//! Newer trust bundles, when what the box holds verifies no server.

use super::Uplink;
use crate::agent_state::EnrollmentState;
use crate::enrollment::{Enrollment, EnrollmentError, TrustError, decide};
use std::time::Duration;

/// What asking for bundles led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refreshed {
    /// The box has bundles to go by, newer ones or those that it had.
    Held,
    /// It has none, and asks again after this long.
    Again(Duration),
    /// It has none, gets none that hold, and was only to enrol.
    GivenUp,
}

impl Uplink<'_> {
    /// Asks for newer bundles. Why there are none is told, and told again with the next session that fails for it.
    pub(super) async fn refresh_trust(&mut self, attempts: u32) -> Refreshed {
        let enrollment = Enrollment {
            dialer: self.dialer,
            clock: &self.config.clock,
            address: &self.config.server,
            key: &self.identity.key,
            join_token: None,
        };
        let learned = Box::pin(enrollment.learn_trust(self.first_hash, self.trust.clone())).await;
        let error = match learned {
            Ok(mut trust) => {
                trust.keep(self.state);
                (self.trust, self.trust_problem) = (Some(trust), None);
                return Refreshed::Held;
            }
            Err(error) => EnrollmentError::Trust(error),
        };
        let message = error.sentence();
        tracing::warn!(error = %message, "trust bundles were not renewed");
        let decision = decide(&error, attempts, rand::random());
        if self.trust.is_some() {
            // The link is tried next, and says how that went together with this.
            self.publish_offline(decision.reason, message.clone(), Duration::ZERO);
            self.trust_problem = Some(message);
            return Refreshed::Held;
        }
        if self.config.only_enroll && matches!(error, EnrollmentError::Trust(TrustError::Chain(_))) {
            self.published.enrollment(EnrollmentState::Failed { reason: decision.reason, message, tries_again: false });
            return Refreshed::GivenUp;
        }
        let wait = decision.retry_after.unwrap_or(crate::link::state::STOPPED_LOOKS_AGAIN_AFTER);
        self.publish_offline(decision.reason, message, wait);
        Refreshed::Again(wait)
    }
}
