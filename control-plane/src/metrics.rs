//! What the control plane measures of itself, as OpenMetrics text. Labels are bounded: no device ids.

use kaliun_types::reason::ReasonCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

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
        metrics
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
