//! State as a person sees it: a colour, a shape and a word, always together.

use kaliun_proto::telemetry::v1::HealthVerdict;

/// What kind of state something is in. Each has one colour and one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Works. A filled circle with a tick.
    Good,
    /// Wants attention. A triangle.
    Warning,
    /// Does not work. An octagon.
    Bad,
    /// Cannot be said at the moment. A broken ring.
    Unknown,
    /// Not set up; no fault. An empty ring.
    Absent,
}

impl Tone {
    /// Name of the tone in class names and symbol ids.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
        }
    }
}

/// A tone with its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Colour and shape.
    pub tone: Tone,
    /// The word beside it.
    pub word: &'static str,
}

impl Mark {
    /// The mark of a whole box.
    #[must_use]
    pub const fn of_verdict(verdict: HealthVerdict) -> Self {
        match verdict {
            HealthVerdict::Ok => Self { tone: Tone::Good, word: "Well" },
            HealthVerdict::Degraded => Self { tone: Tone::Warning, word: "Needs attention" },
            HealthVerdict::Critical => Self { tone: Tone::Bad, word: "Critical" },
            HealthVerdict::Stale => Self { tone: Tone::Unknown, word: "Not heard from" },
            HealthVerdict::Unknown | HealthVerdict::Unspecified => Self { tone: Tone::Unknown, word: "No report yet" },
        }
    }
}
