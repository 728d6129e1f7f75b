//! What is measured of mails.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Measurements of mails.
#[derive(Default)]
pub(crate) struct MailMetrics {
    /// Mails that the mail server took.
    pub(crate) sent: Counter,
    /// Attempts that failed, by how far they came.
    failed: Family<[(&'static str, &'static str); 1], Counter>,
    /// Mails that will not be sent any more.
    pub(crate) given_up: Counter,
    /// Mails that wait to be sent.
    pub(crate) waiting: Gauge,
    /// Age of the oldest of them in seconds; 0 for none.
    pub(crate) oldest_waiting: Gauge,
}

impl MailMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("mails_sent", "Mails that the mail server took from here", self.sent.clone());
        registry.register(
            "mails_failed",
            "Attempts to send a mail that failed here, by how far they came",
            self.failed.clone(),
        );
        registry.register("mails_given_up", "Mails given up here", self.given_up.clone());
        registry.register(
            "mails_waiting",
            "Mails that wait to be sent. The same at each replica",
            self.waiting.clone(),
        );
        registry.register(
            "mails_oldest_waiting_seconds",
            "Age of the oldest mail that waits to be sent; 0 for none. The same at each replica",
            self.oldest_waiting.clone(),
        );
    }

    /// Counts an attempt that failed.
    pub(crate) fn fail(&self, stage: &'static str) {
        self.failed.get_or_create(&[("stage", stage)]).inc();
    }
}
