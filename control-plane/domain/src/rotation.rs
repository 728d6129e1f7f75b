//! The rotation of the certificate authority: which one does what in each phase.
//!
//! A new authority takes over from the current one in steps that can each be taken back:
//!
//! | phase | boxes trust | certificates of boxes | certificate of the server |
//! | --- | --- | --- | --- |
//! | steady | current | current | current |
//! | trust | current and next | current | current |
//! | issue | current and next | next | current |
//! | drain | current and next | next | next |
//!
//! After drain the next authority is the current one, and the old one is retired.

mod course;

pub use course::{Course, GRACE_LEAST, GRACE_MOST, PHASE_LEAST, Pause, Standing, Steering};

/// A phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// No rotation is under way.
    Steady,
    /// Boxes learn to trust the next authority.
    Trust,
    /// Boxes get certificates of the next authority.
    Issue,
    /// The server shows a certificate of the next authority.
    Drain,
}

/// Which authority does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    phase: Phase,
    current: i32,
    next: Option<i32>,
}

/// What a device must have. Each part may ask for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gate {
    /// A trust bundle of at least this version.
    pub trust_version: Option<i64>,
    /// A certificate of this authority.
    pub authority: Option<i32>,
    /// No certificate of this authority.
    pub not_authority: Option<i32>,
}

impl Phase {
    /// In order.
    pub const ALL: [Self; 4] = [Self::Steady, Self::Trust, Self::Issue, Self::Drain];

    /// The number it is stored as.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Steady => 1,
            Self::Trust => 2,
            Self::Issue => 3,
            Self::Drain => 4,
        }
    }

    /// Reads a stored number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.number() == number)
    }
}

impl Rotation {
    /// A state, if it is one: there is a next authority in all phases but the steady one.
    #[must_use]
    pub fn new(phase: Phase, current: i32, next: Option<i32>) -> Option<Self> {
        let fits = (phase == Phase::Steady) == next.is_none() && next != Some(current);
        fits.then_some(Self { phase, current, next })
    }

    /// Begins a rotation to another authority. None while one is under way.
    #[must_use]
    pub fn start(self, next: i32) -> Option<Self> {
        if self.phase == Phase::Steady { Self::new(Phase::Trust, self.current, Some(next)) } else { None }
    }

    /// The next phase. After drain the next authority is the current one and the old one is retired. None when no rotation is under
    /// way.
    #[must_use]
    pub fn advance(self) -> Option<Self> {
        match self.phase {
            Phase::Steady => None,
            Phase::Trust => Self::new(Phase::Issue, self.current, self.next),
            Phase::Issue => Self::new(Phase::Drain, self.current, self.next),
            Phase::Drain => Self::new(Phase::Steady, self.next?, None),
        }
    }

    /// The phase before. Before trust the next authority is gone. None when no rotation is under way.
    #[must_use]
    pub fn roll_back(self) -> Option<Self> {
        match self.phase {
            Phase::Steady => None,
            Phase::Trust => Self::new(Phase::Steady, self.current, None),
            Phase::Issue => Self::new(Phase::Trust, self.current, self.next),
            Phase::Drain => Self::new(Phase::Issue, self.current, self.next),
        }
    }

    /// The authority that nobody believes any more after a change to another state; none when all are still believed.
    #[must_use]
    pub fn retired_by(self, after: Self) -> Option<i32> {
        self.trusted().find(|number| after.trusted().all(|other| other != *number))
    }

    /// What a device must have before this phase may be left forwards. `bundle_version` is the newest, which names all that are trusted.
    #[must_use]
    pub fn gate(self, bundle_version: i64) -> Gate {
        match self.phase {
            Phase::Steady | Phase::Trust => Gate { trust_version: Some(bundle_version), ..Gate::default() },
            Phase::Issue => Gate { authority: self.next, ..Gate::default() },
            Phase::Drain => Gate { trust_version: Some(bundle_version), authority: self.next, ..Gate::default() },
        }
    }

    /// What a device must have before this phase may be left backwards: what is not believed any more must not be needed. Whoever has a
    /// certificate of another authority, or of one that was, holds nothing up: for them nothing changes.
    #[must_use]
    pub fn gate_back(self) -> Gate {
        let not_authority = self.next.filter(|_| self.phase == Phase::Trust);
        Gate { not_authority, ..Gate::default() }
    }

    /// The authority that counts when no rotation is under way.
    #[must_use]
    pub const fn current(self) -> i32 {
        self.current
    }

    /// The one that takes its place.
    #[must_use]
    pub const fn next(self) -> Option<i32> {
        self.next
    }

    /// The phase.
    #[must_use]
    pub const fn phase(self) -> Phase {
        self.phase
    }

    /// The authority that signs certificates of boxes.
    #[must_use]
    pub fn issuing(self) -> i32 {
        if self.phase >= Phase::Issue { self.next.unwrap_or(self.current) } else { self.current }
    }

    /// The authority that signs the certificate of the device listener.
    #[must_use]
    pub fn serving(self) -> i32 {
        if self.phase >= Phase::Drain { self.next.unwrap_or(self.current) } else { self.current }
    }

    /// The authorities that are believed, by boxes and by the server.
    pub fn trusted(self) -> impl Iterator<Item = i32> {
        [Some(self.current), self.next].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_is_stored_and_read_back() {
        for phase in Phase::ALL {
            assert_eq!(Phase::from_number(phase.number()), Some(phase));
        }
        assert_eq!(Phase::from_number(0), None);
        assert_eq!(Phase::from_number(5), None);
    }

    fn check(phase: Phase, next: Option<i32>, issuing: i32, serving: i32) {
        let rotation = Rotation::new(phase, 3, next).unwrap();
        assert_eq!((rotation.issuing(), rotation.serving()), (issuing, serving), "{phase:?}");
        assert_eq!(rotation.trusted().count(), 1 + usize::from(next.is_some()));
        assert!(
            rotation.trusted().any(|number| number == issuing) && rotation.trusted().any(|number| number == serving)
        );
    }

    #[test]
    fn who_signs_is_always_trusted() {
        check(Phase::Steady, None, 3, 3);
        check(Phase::Trust, Some(4), 3, 3);
        check(Phase::Issue, Some(4), 4, 3);
        check(Phase::Drain, Some(4), 4, 4);
    }

    #[test]
    fn a_rotation_goes_forward_and_each_step_back() {
        let steady = Rotation::new(Phase::Steady, 1, None).unwrap();
        let trust = steady.start(2).unwrap();
        let issue = trust.advance().unwrap();
        let drain = issue.advance().unwrap();
        assert_eq!([trust, issue, drain].map(Rotation::phase), [Phase::Trust, Phase::Issue, Phase::Drain]);
        assert_eq!(drain.advance(), Rotation::new(Phase::Steady, 2, None));
        assert_eq!([drain, issue, trust].map(|state| state.roll_back().unwrap()), [issue, trust, steady]);
        assert_eq!((steady.advance(), steady.roll_back(), trust.start(3), steady.start(1)), (None, None, None, None));
        assert_eq!(drain.retired_by(drain.advance().unwrap()), Some(1));
        assert_eq!(trust.retired_by(steady), Some(2));
        assert_eq!((steady.retired_by(trust), trust.retired_by(issue), drain.retired_by(issue)), (None, None, None));
    }

    #[test]
    fn only_the_way_back_from_trust_asks_for_something_and_that_is_not_to_have_what_goes() {
        let trust = Rotation::new(Phase::Trust, 2, Some(3)).unwrap();
        assert_eq!(trust.gate_back(), Gate { not_authority: Some(3), ..Gate::default() });
        for phase in [Phase::Issue, Phase::Drain] {
            assert_eq!(Rotation::new(phase, 2, Some(3)).unwrap().gate_back(), Gate::default());
        }
        assert_eq!(Rotation::new(Phase::Steady, 2, None).unwrap().gate_back(), Gate::default());
    }

    #[test]
    fn what_is_no_state_is_refused() {
        assert_eq!(Rotation::new(Phase::Steady, 1, Some(2)), None);
        assert_eq!(Rotation::new(Phase::Trust, 1, None), None);
        assert_eq!(Rotation::new(Phase::Drain, 1, Some(1)), None);
    }
}
