//! What is recorded of the link itself.

use super::Uplink;
use crate::journal::Class;
use crate::link::outage::{EndedOutage, Outage};
use crate::link::transport::with_sources;
use kaliun_types::reason::ReasonCode;

impl Uplink<'_> {
    pub(super) async fn tell_outage(&self, outage: &mut Outage) {
        if let Some(since_ms) = outage.failed(self.now_ms()) {
            let message =
                format!("The control plane has not been reached for {}.", duration_words(self.now_ms() - since_ms));
            self.event(self.now_ms(), ReasonCode::NetworkFailed, &message).await;
        }
    }

    pub(super) async fn tell_outage_ended(&self, ended: Option<EndedOutage>) {
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

fn duration_words(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, _) => format!("{minutes} min"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
