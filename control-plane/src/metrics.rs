//! What the control plane measures of itself, as OpenMetrics text. Labels are bounded: no device ids.

mod mails;

use kaliun_types::reason::ReasonCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(crate) use mails::MailMetrics;

/// One counter for each reason code.
pub(crate) type ByReason = Family<[(&'static str, &'static str); 1], Counter>;

/// The measurements.
pub(crate) struct Metrics {
    registry: Registry,
    /// Sessions held now.
    pub(crate) sessions: Gauge,
    /// Connections on the device listener now.
    pub(crate) device_connections: Gauge,
    /// Sessions begun.
    pub(crate) sessions_opened: Counter,
    /// Sessions ended, by reason.
    pub(crate) sessions_closed: ByReason,
    /// Peers refused on the device listener, by reason.
    pub(crate) refused: ByReason,
    /// Samples stored.
    pub(crate) samples_stored: Counter,
    /// Bytes of batches that wait to be stored.
    pub(crate) ingest_waiting_bytes: Gauge,
    /// Enrolments that ended with a certificate.
    pub(crate) enrolled: Counter,
    /// Certificates renewed over links.
    pub(crate) certificates_renewed: Counter,
    /// Certificates given for a key that was proved in place of a certificate of no use.
    pub(crate) certificates_recovered: Counter,
    /// When the next certificate of a device that may connect runs out: seconds since the Unix epoch, 0 for none.
    pub(crate) certificate_next_expiry: Gauge,
    /// Devices whose certificate runs out within seven days.
    pub(crate) certificates_expiring: Gauge,
    /// Devices whose certificate has run out.
    pub(crate) certificates_expired: Gauge,
    /// When the journal of ended devices was up to date last: seconds since the Unix epoch, 0 for never.
    pub(crate) ended_devices_journal: Gauge,
    /// Of mails.
    pub(crate) mails: MailMetrics,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("kaliun"),
            sessions: Gauge::default(),
            device_connections: Gauge::default(),
            sessions_opened: Counter::default(),
            sessions_closed: ByReason::default(),
            refused: ByReason::default(),
            samples_stored: Counter::default(),
            ingest_waiting_bytes: Gauge::default(),
            enrolled: Counter::default(),
            certificates_renewed: Counter::default(),
            certificates_recovered: Counter::default(),
            certificate_next_expiry: Gauge::default(),
            certificates_expiring: Gauge::default(),
            certificates_expired: Gauge::default(),
            ended_devices_journal: Gauge::default(),
            mails: MailMetrics::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("sessions", "Device sessions held now", metrics.sessions.clone());
        registry.register(
            "device_connections",
            "Connections on the device listener",
            metrics.device_connections.clone(),
        );
        registry.register("sessions_opened", "Device sessions begun", metrics.sessions_opened.clone());
        registry.register("sessions_closed", "Device sessions ended, by reason", metrics.sessions_closed.clone());
        registry.register("device_refused", "Peers refused on the device listener, by reason", metrics.refused.clone());
        registry.register("samples_stored", "Samples stored", metrics.samples_stored.clone());
        registry.register("ingest_waiting_bytes", "Batches waiting to be stored", metrics.ingest_waiting_bytes.clone());
        registry.register("enrolled", "Enrolments that ended with a certificate", metrics.enrolled.clone());
        registry.register(
            "ended_devices_journal_timestamp_seconds",
            "When the journal of ended devices beside the database was up to date here; 0 for never",
            metrics.ended_devices_journal.clone(),
        );
        metrics.mails.register(registry);
        metrics.register_certificates();
        metrics
    }

    fn register_certificates(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "certificates_renewed",
            "Certificates renewed over links here",
            self.certificates_renewed.clone(),
        );
        registry.register(
            "certificates_recovered",
            "Certificates given here for a proved key in place of one of no use",
            self.certificates_recovered.clone(),
        );
        registry.register(
            "certificate_next_expiry_timestamp_seconds",
            "When the next valid certificate of any device runs out; 0 for none. The same at each replica",
            self.certificate_next_expiry.clone(),
        );
        registry.register(
            "certificates_expiring",
            "Devices of the fleet whose certificate runs out within 7 days. The same at each replica",
            self.certificates_expiring.clone(),
        );
        registry.register(
            "certificates_expired",
            "Devices of the fleet whose certificate has run out. The same at each replica",
            self.certificates_expired.clone(),
        );
    }

    /// Counts a peer that was refused on the device listener.
    pub(crate) fn refuse(&self, reason: ReasonCode) {
        self.refused.get_or_create(&[("reason", reason.code())]).inc();
    }

    /// All of them as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}
