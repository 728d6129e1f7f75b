//! Whether a box may connect at all. What is so for good is said before, and in place of, how it is.

use super::device::ReasonLine;
use super::mark::{Mark, Tone};
use kaliun_proto::fleet::v1::Device;
use kaliun_types::reason::ReasonCode;

/// What is left to do with a box that may not connect any more.
const AFTER_THE_END: &str = "This cannot be taken back. To use the box again, enrol it anew with `kaliun-edge enroll --new-key`; \
                             `fleetctl delete` takes this entry off the list.";

/// A box's right to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    InService,
    /// Two boxes seem to use its identity, and somebody has to choose. Milliseconds since the Unix epoch.
    Parked(i64),
    /// Somebody took its right away. Milliseconds since the Unix epoch.
    Revoked(i64),
    /// Its service ended for good. Milliseconds since the Unix epoch.
    OutOfService(i64),
}

impl Standing {
    /// A box's, gravest first: one that is out of service is revoked, too.
    #[must_use]
    pub const fn of(device: &Device) -> Self {
        if device.decommissioned_at_ms > 0 {
            Self::OutOfService(device.decommissioned_at_ms)
        } else if device.revoked_at_ms > 0 {
            Self::Revoked(device.revoked_at_ms)
        } else if device.parked_at_ms > 0 {
            Self::Parked(device.parked_at_ms)
        } else {
            Self::InService
        }
    }

    /// Since when it may not connect any more; none while it may. Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn ended_at_ms(self) -> Option<i64> {
        match self {
            Self::InService | Self::Parked(_) => None,
            Self::Revoked(at_ms) | Self::OutOfService(at_ms) => Some(at_ms),
        }
    }

    /// The word for it in place of the verdict; none when the verdict counts. Nobody has to see to a box that was put out on purpose,
    /// so its mark is no alarm.
    #[must_use]
    pub const fn mark(self) -> Option<Mark> {
        match self {
            Self::InService => None,
            Self::Parked(_) => Some(Mark { tone: Tone::Warning, word: "Needs attention" }),
            Self::Revoked(_) => Some(Mark { tone: Tone::Absent, word: "Revoked" }),
            Self::OutOfService(_) => Some(Mark { tone: Tone::Absent, word: "Out of service" }),
        }
    }

    /// Why it is so, since when, and what can be done.
    #[must_use]
    pub fn reason(self) -> Option<ReasonLine> {
        let line = |sentence: &str, next_step, since_ms| {
            Some(ReasonLine { sentence: sentence.to_owned(), next_step, since_ms })
        };
        match self {
            Self::InService => None,
            Self::Parked(since_ms) => line(
                "Two boxes seem to use its identity, so nothing that they record is taken in.",
                ReasonCode::DeviceCloneSuspected.next_step(),
                since_ms,
            ),
            Self::Revoked(since_ms) => line("It may not connect any more.", AFTER_THE_END, since_ms),
            Self::OutOfService(since_ms) => line("Its service has ended for good.", AFTER_THE_END, since_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_that_is_so_counts() {
        let check = |(revoked_at_ms, decommissioned_at_ms, parked_at_ms), expected: Standing, word, ended_at_ms| {
            let device = Device { revoked_at_ms, decommissioned_at_ms, parked_at_ms, ..Device::default() };
            let standing = Standing::of(&device);
            assert_eq!(standing, expected);
            assert_eq!((standing.mark().map(|mark| mark.word), standing.ended_at_ms()), (word, ended_at_ms));
            assert_eq!(standing.reason().is_some(), word.is_some(), "a word has a reason");
        };
        check((0, 0, 0), Standing::InService, None, None);
        check((0, 0, 3), Standing::Parked(3), Some("Needs attention"), None);
        check((5, 0, 0), Standing::Revoked(5), Some("Revoked"), Some(5));
        check((5, 0, 3), Standing::Revoked(5), Some("Revoked"), Some(5));
        check((5, 7, 0), Standing::OutOfService(7), Some("Out of service"), Some(7));
        check((5, 7, 3), Standing::OutOfService(7), Some("Out of service"), Some(7));
    }
}
