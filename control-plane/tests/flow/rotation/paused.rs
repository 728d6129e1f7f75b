//! A rotation that somebody told to stand still.

use super::Operator;
use crate::support::{Fixture, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use std::time::Duration;
use tonic::{Code, Status};

impl Operator {
    async fn pause(&mut self, reason: &str) -> Result<fleet::Rotation, Status> {
        let request = fleet::PauseRotationRequest { reason: reason.to_owned() };
        Ok(self.0.pause_rotation(with_token(request)).await?.into_inner().rotation.unwrap_or_default())
    }

    async fn resume(&mut self) -> Result<fleet::Rotation, Status> {
        let answer = self.0.resume_rotation(with_token(fleet::ResumeRotationRequest {})).await?;
        Ok(answer.into_inner().rotation.unwrap_or_default())
    }

    async fn advance_forced(&mut self, from: RotationPhase) -> Result<(), Status> {
        let request = fleet::AdvanceRotationRequest { from: from.into(), force: true };
        self.0.advance_rotation(with_token(request)).await.map(|_| ())
    }
}

/// Who did what, and what reason was kept with it, oldest first.
async fn audit(fixture: &Fixture) -> Result<Vec<(String, String, String)>> {
    let query = "SELECT actor, action, coalesce(after->>'reason', '') FROM audit WHERE target = 'rotation' ORDER BY id";
    let rows = fixture.admin().await?.query(query, &[]).await?;
    Ok(rows.into_iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

#[tokio::test]
async fn a_paused_rotation_moves_neither_by_hand_nor_by_itself() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let refused = operator.pause("why").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "there is nothing to pause");
    operator.start_by_itself(Duration::from_secs(3_600)).await?;
    for reason in ["", "  ", "a\nb", &"x".repeat(201)] {
        let refused = operator.pause(reason).await.unwrap_err();
        ensure!(refused.code() == Code::InvalidArgument && refused.message().starts_with("reason:"), "{refused:?}");
    }
    let paused = operator.pause("the van with the boxes is late").await?;
    let reason = paused.reason.context("a reason")?;
    assert_eq!((reason.code.as_str(), reason.message.as_str()), ("rotation.paused", "the van with the boxes is late"));
    ensure!(reason.since_ms >= paused.phase_since_ms && !paused.paused_by.is_empty());
    assert_eq!(paused.waits_until_ms, 0);
    let again = operator.pause("another reason").await.unwrap_err();
    ensure!(again.message().contains("the van with the boxes is late"), "{again:?}");

    // There is no box, so nothing else would hold it up.
    fixture.advance(Duration::from_secs(100 * 3_600));
    let refused = operator.advance_forced(RotationPhase::Trust).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    ensure!(refused.message().contains("fleetctl ca rotate resume"), "{refused:?}");
    // The task of this server and that of another one look at it, and a third that has just started does too.
    fixture.replica().await?.stop().await;
    assert_eq!(operator.rotation().await?.phase(), RotationPhase::Trust);

    let resumed = operator.resume().await?;
    ensure!(resumed.paused_by.is_empty() && resumed.waits_until_ms > 0, "{resumed:?}");
    assert_eq!(operator.resume().await.unwrap_err().code(), Code::FailedPrecondition);
    let issue = operator.advance(RotationPhase::Trust).await?;
    assert_eq!(issue.phase(), RotationPhase::Issue);

    // Taken back, it would go forwards again at once: it stands still.
    let back = operator.roll_back(RotationPhase::Issue).await?;
    assert_eq!(back.reason.context("a reason")?.message, "taken back from the phase issue");
    // A step back is allowed, and the end of the rotation is the end of the pause.
    let ended = operator.roll_back(RotationPhase::Trust).await?;
    assert_eq!((ended.phase(), ended.reason, ended.is_automatic), (RotationPhase::Steady, None, false));
    let actions: Vec<_> = audit(&fixture).await?;
    let by = &actions[0].0;
    let expected = [
        ("ca.rotate.start", ""),
        ("ca.rotate.pause", "the van with the boxes is late"),
        ("ca.rotate.resume", ""),
        ("ca.rotate.advance", ""),
        ("ca.rotate.rollback", ""),
        ("ca.rotate.rollback", ""),
    ];
    let expected: Vec<_> = expected.map(|(action, why)| (by.clone(), action.to_owned(), why.to_owned())).into();
    assert_eq!(actions, expected);
    assert_eq!(*by, paused.paused_by);
    fixture.stop().await
}
