//! A rotation that goes by itself, by a clock that the tests move.

use super::{Operator, learn, renew};
use crate::support::{Fixture, PATIENCE, TestBox, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use std::time::{Duration, Instant};
use tonic::{Code, Status};

const DAY: Duration = Duration::from_secs(24 * 3600);
const GRACE: Duration = Duration::from_secs(3 * 24 * 3600);
/// Longer than a phase lasts at least.
const A_WHILE: Duration = Duration::from_secs(61);

impl Operator {
    pub(super) async fn start_by_itself(&mut self, grace: Duration) -> Result<fleet::Rotation, Status> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let request = fleet::StartRotationRequest { is_automatic: true, grace_ms, force: false };
        Ok(self.0.start_rotation(with_token(request)).await?.into_inner().rotation.unwrap_or_default())
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&fleet::Rotation) -> bool) -> Result<fleet::Rotation> {
        let began = Instant::now();
        loop {
            let rotation = self.rotation().await?;
            if is_so(&rotation) {
                return Ok(rotation);
            }
            ensure!(began.elapsed() < PATIENCE, "never {what}: {rotation:?}");
        }
    }

    pub(super) async fn until_phase(&mut self, phase: RotationPhase) -> Result<fleet::Rotation> {
        self.until(phase.as_str_name(), |rotation| rotation.phase() == phase).await
    }
}

fn code(rotation: &fleet::Rotation) -> &str {
    rotation.reason.as_ref().map_or("", |reason| &reason.code)
}

/// Two replicas take the steps, with a box that comes along at once and one that sleeps through it all.
#[tokio::test]
async fn a_rotation_by_itself_waits_for_those_who_sleep_and_ends_without_anybody() -> Result<()> {
    let fixture = Fixture::start().await?;
    let other = fixture.replica().await?;
    let mut operator = Operator::new(&fixture).await?;
    let mut awake = TestBox::enroll(&fixture, "awake").await?;
    let mut session = awake.open().await?;
    learn(&mut session).await?;
    let asleep = TestBox::enroll(&fixture, "asleep").await?;
    let mut last = asleep.open().await?;
    learn(&mut last).await?;
    operator.until_ready(2).await?;
    drop(last);

    let begun = operator.start_by_itself(GRACE).await?;
    assert_eq!((begun.is_automatic, begun.grace_ms), (true, 3 * 24 * 3_600_000));
    awake.roots = learn(&mut session).await?;
    operator.until_ready(1).await?;

    // It waits for the one that sleeps, says so, and says until when.
    fixture.advance(DAY * 2);
    let waiting = operator.rotation().await?;
    assert_eq!((waiting.phase(), code(&waiting)), (RotationPhase::Trust, "rotation.waiting"));
    assert_eq!(waiting.reason.as_ref().context("a reason")?.message, "1 of 2 devices have not come along.");
    assert_eq!(waiting.waits_until_ms, waiting.phase_since_ms + 3 * 24 * 3_600_000);
    assert_eq!(operator.stragglers().await?, ["asleep"]);

    // After the grace it goes on without it, one phase and no more.
    fixture.advance(DAY + A_WHILE);
    let issue = operator.until_phase(RotationPhase::Issue).await?;
    ensure!(issue.phase_since_ms > waiting.waits_until_ms, "by the same clock: {issue:?}");
    let mut session = awake.open().await?;
    renew(&mut session, &mut awake).await?;
    let mut shown = awake.open().await?;
    learn(&mut shown).await?;
    operator.until_ready(1).await?;
    assert_eq!(operator.rotation().await?.phase(), RotationPhase::Issue);
    fixture.advance(GRACE + A_WHILE);
    operator.until_phase(RotationPhase::Drain).await?;
    fixture.advance(GRACE + A_WHILE);
    let ended = operator.until_phase(RotationPhase::Steady).await?;
    assert_eq!((ended.current_authority, ended.trust_bundle_version, ended.is_automatic), (2, 3, false));

    // Each step was taken once, whoever took it.
    let query = "SELECT action, actor, coalesce(after->>'reason', '') FROM audit WHERE target = 'rotation' ORDER BY id";
    let rows = fixture.admin().await?.query(query, &[]).await?;
    let steps: Vec<(String, String, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).skip(1).collect();
    let expected = ("ca.rotate.advance", "control-plane", "1 of 2 devices were waited for long enough");
    let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned());
    assert_eq!(steps, vec![expected; 3]);
    // What is not needed any more is gone: of three bundle keys the last.
    let query = "SELECT version FROM trust_bundle WHERE sealed_key IS NOT NULL";
    let kept: Vec<i64> = fixture.admin().await?.query(query, &[]).await?.iter().map(|row| row.get(0)).collect();
    assert_eq!(kept, [3]);
    let query = "SELECT number FROM authority WHERE sealed_key IS NOT NULL";
    let kept: Vec<i32> = fixture.admin().await?.query(query, &[]).await?.iter().map(|row| row.get(0)).collect();
    assert_eq!(kept, [2], "of two authorities' keys the one that counts");
    other.stop().await;
    fixture.stop().await
}

/// When all have come along it does not wait for the grace to pass.
#[tokio::test]
async fn a_rotation_by_itself_goes_on_when_all_have_come_along() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    operator.start_by_itself(DAY * 300).await?;
    for (from, phase) in [
        (RotationPhase::Trust, RotationPhase::Issue),
        (RotationPhase::Issue, RotationPhase::Drain),
        (RotationPhase::Drain, RotationPhase::Steady),
    ] {
        let settling = operator.rotation().await?;
        assert_eq!((settling.phase(), code(&settling)), (from, "rotation.waiting"), "replicas are given time");
        fixture.advance(A_WHILE);
        operator.until_phase(phase).await?;
    }
    fixture.stop().await
}

/// Boxes are enrolled in a factory and stored: what they verified the server by they keep.
#[tokio::test]
async fn a_rotation_by_itself_goes_on_without_boxes_on_a_shelf() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    TestBox::enroll(&fixture, "shelved").await?;
    operator.start_by_itself(GRACE).await?;
    for phase in [RotationPhase::Issue, RotationPhase::Drain, RotationPhase::Steady] {
        fixture.advance(GRACE + A_WHILE);
        operator.until_phase(phase).await?;
    }
    fixture.stop().await
}

/// A device that never said whom it trusts might not find a server that shows another authority's certificate.
#[tokio::test]
async fn a_rotation_by_itself_stops_before_it_strands_a_box() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let silent = TestBox::enroll(&fixture, "silent").await?;
    // As one that was enrolled before boxes kept a chain.
    let forget = "UPDATE device_status SET trust_version = 0";
    assert_eq!(fixture.admin().await?.execute(forget, &[]).await?, 1);
    operator.start_by_itself(GRACE).await?;
    fixture.advance(GRACE + A_WHILE);
    // Nothing is taken from it yet.
    operator.until_phase(RotationPhase::Issue).await?;
    fixture.advance(GRACE + A_WHILE);
    let stopped = operator.until("stopped", |rotation| code(rotation) == "rotation.would_strand").await?;
    let reason = stopped.reason.context("a reason")?;
    ensure!(reason.message.starts_with("1 of 1 devices never said"), "{reason:?}");
    fixture.advance(GRACE * 2);
    fixture.replica().await?.stop().await;
    assert_eq!(operator.rotation().await?.phase(), RotationPhase::Issue);
    assert_eq!(operator.stragglers().await?, ["silent"]);

    // It goes on by itself when the box is there, even if it has come no further.
    let mut session = silent.open().await?;
    learn(&mut session).await?;
    operator.until_phase(RotationPhase::Drain).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_grace_has_bounds() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    for grace in [Duration::from_millis(1), Duration::from_secs(599), DAY * 366] {
        let refused = operator.start_by_itself(grace).await.unwrap_err();
        ensure!(refused.code() == Code::InvalidArgument && refused.message().starts_with("grace_ms:"), "{refused:?}");
    }
    let by_hand = fleet::StartRotationRequest { grace_ms: 3_600_000, ..fleet::StartRotationRequest::default() };
    let refused = operator.0.start_rotation(with_token(by_hand)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "a grace is for one that goes by itself");
    let begun = operator.start_by_itself(Duration::ZERO).await?;
    assert_eq!(begun.grace_ms, 7 * 24 * 3_600_000);
    fixture.stop().await
}
