//! What may happen, made up.

use proptest::prelude::*;

/// Boxes in a case, so that one's codes can be tried while the other waits.
pub(super) const BOXES: usize = 2;

/// What somebody does with a code.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    LookUp,
    /// With what the box's screen shows, into one of the organizations, most often after looking the code up.
    Approve {
        second: bool,
        looks_up: bool,
    },
    /// With something else.
    ApproveWrongly {
        looks_up: bool,
    },
    Deny,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The box proves its key and waits by code: for the first time, or because its stream broke.
    Wait(usize),
    /// The same with a join token whose boxes an operator decides about.
    Come(usize),
    /// Somebody does something with the code that this box had so many codes ago.
    With(usize, usize, Act),
    /// Two people do something with its newest code in the same moment.
    AtOnce(usize, Act, Act),
    /// The process dies so many microseconds into that.
    Crash(usize, Act, u64),
    /// The box's stream of so many streams ago reveals its bytes.
    Reveal(usize, usize),
    /// The code, or the wait for an operator, runs out.
    Expire(usize),
    /// An operator says yes to the box that came with the token; twice at once or once.
    Admit(usize, bool),
    TurnAway(usize),
    /// The box's stream takes what was decided; twice at once, as from a stream that is not known to be dead, or once.
    Collect(usize, bool),
    /// The process dies while the certificate is being noted.
    CrashCollect(usize, u64),
    Delete(usize),
    /// Somebody takes the device's right to connect away, for good.
    Revoke(usize),
    /// The box comes with a join token that needs nobody's yes.
    ComeFreely(usize),
    /// The box proves its key in place of its certificate.
    Recover(usize),
    /// The process dies so many microseconds into that.
    CrashOther(usize, Way, u64),
    /// Two things that have nothing to do with each other come in the same moment.
    Together(usize, Pair),
    CleanUp,
}

/// What a process may die in, beside what is done with a code.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Admit,
    ComeFreely,
    Recover,
    Revoke,
}

/// Two things at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pair {
    CollectAndRevoke,
    RecoverAndRevoke,
    ComeFreelyAndWait,
    WaitAndApprove,
    CollectAndRecover,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::LookUp),
        6 => (any::<bool>(), proptest::bool::weighted(0.8)).prop_map(|(second, looks_up)| Act::Approve { second, looks_up }),
        4 => proptest::bool::weighted(0.8).prop_map(|looks_up| Act::ApproveWrongly { looks_up }),
        2 => Just(Act::Deny),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Admit), Just(Way::ComeFreely), Just(Way::Recover), Just(Way::Revoke)]
}

fn pair() -> impl Strategy<Value = Pair> {
    prop_oneof![
        1 => Just(Pair::CollectAndRevoke),
        1 => Just(Pair::RecoverAndRevoke),
        2 => Just(Pair::ComeFreelyAndWait),
        4 => Just(Pair::WaitAndApprove),
        2 => Just(Pair::CollectAndRecover),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let a_box = 0..BOXES;
    let micros = 0_u64..6_000;
    prop_oneof![
        9 => a_box.clone().prop_map(Step::Wait),
        2 => a_box.clone().prop_map(Step::Come),
        10 => (a_box.clone(), prop_oneof![4 => Just(0_usize), 1 => 1_usize..4], act()).prop_map(|(b, ago, act)| Step::With(b, ago, act)),
        3 => (a_box.clone(), act(), act()).prop_map(|(b, one, two)| Step::AtOnce(b, one, two)),
        3 => (a_box.clone(), act(), micros.clone()).prop_map(|(b, act, micros)| Step::Crash(b, act, micros)),
        4 => (a_box.clone(), prop_oneof![3 => Just(0_usize), 1 => 1_usize..3]).prop_map(|(b, ago)| Step::Reveal(b, ago)),
        1 => a_box.clone().prop_map(Step::Expire),
        2 => (a_box.clone(), any::<bool>()).prop_map(|(b, twice)| Step::Admit(b, twice)),
        1 => a_box.clone().prop_map(Step::TurnAway),
        7 => (a_box.clone(), any::<bool>()).prop_map(|(b, twice)| Step::Collect(b, twice)),
        1 => (a_box.clone(), micros.clone()).prop_map(|(b, micros)| Step::CrashCollect(b, micros)),
        2 => (a_box.clone(), way(), micros).prop_map(|(b, way, micros)| Step::CrashOther(b, way, micros)),
        1 => a_box.clone().prop_map(Step::Delete),
        1 => a_box.clone().prop_map(Step::Revoke),
        1 => a_box.clone().prop_map(Step::ComeFreely),
        2 => a_box.clone().prop_map(Step::Recover),
        3 => (a_box, pair()).prop_map(|(b, pair)| Step::Together(b, pair)),
        1 => Just(Step::CleanUp),
    ]
}
