//! What a rotation that goes by itself does next.

use super::Phase;
use std::time::{Duration, SystemTime};

/// A phase lasts this long at least. Replicas follow a change within seconds: each has, before the next one.
pub const PHASE_LEAST: Duration = Duration::from_secs(60);
/// Shortest grace that may be asked for. A box that is online comes along in a minute, one that starts again in a few.
pub const GRACE_LEAST: Duration = Duration::from_secs(600);
/// Longest.
pub const GRACE_MOST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a rotation is steered, beside its phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    /// How long devices that have not come along are waited for in each phase; none when somebody takes each step by hand.
    pub grace: Option<Duration>,
    /// When the phase began.
    pub phase_since: SystemTime,
    /// Since when devices are waited for: the phase's beginning, or the end of the last pause.
    pub waits_since: SystemTime,
    /// Why it stands still.
    pub pause: Option<Pause>,
}

/// Somebody told the rotation to stand still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: SystemTime,
    /// Who, as in the audit.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
}

/// How the devices stand to a phase's gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// All that may connect.
    pub devices: i64,
    /// Those that have come along.
    pub ready: i64,
    /// Those that have not and might never find their server again without somebody's help, once the server shows another
    /// authority's certificate: they never said that they hold a trust bundle.
    pub lost: i64,
}

/// What it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Nothing by itself: none is under way, or somebody takes each step.
    ByHand,
    /// It stands still until somebody says otherwise.
    Paused,
    /// It waits until then at most.
    Wait {
        /// When it looks what to do with those that have not come along.
        until: SystemTime,
    },
    /// It goes on to the next phase now.
    Advance {
        /// So many have not come along. Each of them can by itself, later.
        left_behind: i64,
    },
    /// It goes on no more, for that would strand boxes.
    Stop {
        /// Since when.
        since: SystemTime,
        /// So many.
        stranded: i64,
    },
}

impl Steering {
    /// What happens next, as of now.
    ///
    /// No box is ever stranded. While boxes trust the next authority besides the current one and get certificates of it, nothing is
    /// taken from those that have not heard of it. From the end of the phase issue on the server shows what they do not know: then they
    /// have to follow the chain of bundles, and after drain to prove their keys. A box that once said which bundle it holds does both by
    /// itself for as long as its record lets it, which is longer than its certificate is valid; another one is waited for.
    #[must_use]
    pub fn course(&self, phase: Phase, standing: Standing, now: SystemTime) -> Course {
        let Some(grace) = self.grace.filter(|_| phase != Phase::Steady) else { return Course::ByHand };
        if self.pause.is_some() {
            return Course::Paused;
        }
        let settled_at = self.phase_since.max(self.waits_since) + PHASE_LEAST;
        let left_behind = standing.devices.saturating_sub(standing.ready);
        if left_behind <= 0 {
            return if now < settled_at {
                Course::Wait { until: settled_at }
            } else {
                Course::Advance { left_behind: 0 }
            };
        }
        let until = (self.waits_since + grace).max(settled_at);
        if now < until {
            return Course::Wait { until };
        }
        let stranded = if phase >= Phase::Issue { standing.lost } else { 0 };
        if stranded > 0 { Course::Stop { since: until, stranded } } else { Course::Advance { left_behind } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn steering() -> Steering {
        Steering { grace: Some(GRACE), phase_since: at(0), waits_since: at(0), pause: None }
    }

    fn check(phase: Phase, ready: i64, lost: i64, after: Duration, expected: Course) {
        let standing = Standing { devices: 10, ready, lost };
        assert_eq!(steering().course(phase, standing, at(0) + after), expected, "{phase:?} {standing:?} {after:?}");
    }

    #[test]
    fn it_goes_on_when_all_have_come_along_and_waits_for_the_others_as_long_as_it_shall() {
        let (second, whole) = (Duration::from_secs(1), at(0) + GRACE);
        for phase in [Phase::Trust, Phase::Issue, Phase::Drain] {
            check(phase, 10, 0, second, Course::Wait { until: at(60) });
            check(phase, 10, 0, PHASE_LEAST, Course::Advance { left_behind: 0 });
            check(phase, 8, 0, PHASE_LEAST, Course::Wait { until: whole });
            check(phase, 8, 0, GRACE - second, Course::Wait { until: whole });
            check(phase, 8, 0, GRACE, Course::Advance { left_behind: 2 });
        }
        check(Phase::Steady, 10, 0, GRACE, Course::ByHand);
    }

    #[test]
    fn it_strands_no_box() {
        check(Phase::Trust, 8, 1, GRACE, Course::Advance { left_behind: 2 });
        for phase in [Phase::Issue, Phase::Drain] {
            check(phase, 8, 1, GRACE, Course::Stop { since: at(0) + GRACE, stranded: 1 });
            check(phase, 8, 1, GRACE * 9, Course::Stop { since: at(0) + GRACE, stranded: 1 });
            check(phase, 10, 0, GRACE * 9, Course::Advance { left_behind: 0 });
        }
    }

    #[test]
    fn it_stands_still_while_it_is_paused_and_then_waits_anew() {
        let all = Standing { devices: 10, ready: 10, lost: 0 };
        let pause = Pause { since: at(5), by: "somebody".to_owned(), reason: "why".to_owned() };
        let paused = Steering { pause: Some(pause), ..steering() };
        assert_eq!(paused.course(Phase::Trust, all, at(0) + GRACE), Course::Paused);
        let resumed = Steering { waits_since: at(1_000), ..steering() };
        let some = Standing { ready: 9, ..all };
        assert_eq!(resumed.course(Phase::Trust, some, at(0) + GRACE), Course::Wait { until: at(1_000) + GRACE });
        assert_eq!(resumed.course(Phase::Trust, all, at(1_001)), Course::Wait { until: at(1_060) });
        let by_hand = Steering { grace: None, ..steering() };
        assert_eq!(by_hand.course(Phase::Trust, all, at(0) + GRACE), Course::ByHand);
    }

    /// A fleet without a box has nobody to wait for, but replicas all the same.
    #[test]
    fn an_empty_fleet_takes_its_time() {
        let none = Standing::default();
        assert_eq!(steering().course(Phase::Drain, none, at(1)), Course::Wait { until: at(60) });
        assert_eq!(steering().course(Phase::Drain, none, at(60)), Course::Advance { left_behind: 0 });
    }
}
