//! Measurements and verdicts.

use super::{some_text, word};
use crate::output::time::Time;
use kaliun_proto::telemetry::v1 as proto;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// A verdict with its reasons, gravest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Health {
    pub(crate) verdict: &'static str,
    pub(crate) reasons: Vec<Reason>,
}

/// One reason for a state that is not green.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) message: Option<String>,
    pub(crate) since: Option<Time>,
}

/// One of the lights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Light {
    pub(crate) state: &'static str,
    pub(crate) since: Option<Time>,
    pub(crate) reason: Option<Reason>,
}

/// One reading.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// By the box's clock.
    pub(crate) time: Option<Time>,
    /// By the server's clock.
    pub(crate) stored_at: Option<Time>,
    /// By metric.
    pub(crate) values: BTreeMap<String, Number>,
}

/// A measured value; a whole number is written as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

/// Whole numbers up to here are exact in a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

impl From<proto::Health> for Health {
    fn from(health: proto::Health) -> Self {
        Self { verdict: word::verdict(health.verdict), reasons: health.reasons.into_iter().map(Reason::from).collect() }
    }
}

impl From<proto::Reason> for Reason {
    fn from(reason: proto::Reason) -> Self {
        Self { code: reason.code, message: some_text(reason.message), since: Time::from_ms(reason.since_ms) }
    }
}

impl From<proto::Light> for Light {
    fn from(light: proto::Light) -> Self {
        Self {
            state: word::light_state(light.state),
            since: Time::from_ms(light.since_ms),
            reason: light.reason.map(Reason::from),
        }
    }
}

impl Sample {
    /// Takes a sample with the time of its storing.
    pub(crate) fn new(sample: proto::Sample, stored_at_ms: i64) -> Self {
        let values = sample.values.unwrap_or_default();
        Self {
            time: Time::from_ms(sample.sampled_at_ms),
            stored_at: Time::from_ms(stored_at_ms),
            values: values
                .metrics
                .into_iter()
                .zip(values.values)
                .map(|(metric, value)| (word::metric(metric), Number(value)))
                .collect(),
        }
    }

    /// The value of a metric.
    pub(crate) fn value(&self, metric: proto::Metric) -> Option<f64> {
        self.values.get(&word::metric(metric.into())).map(|number| number.0)
    }

    /// How much of a whole is in use, 0 to 1.
    pub(crate) fn used(&self, total: proto::Metric, available: proto::Metric) -> Option<f64> {
        let total = self.value(total).filter(|total| *total > 0.0)?;
        Some(1.0 - self.value(available)? / total)
    }
}
