//! Steps from one authority to the next. Each is one transaction; the replicas follow within seconds.

mod bundles;

use super::signer::MemorySigner;
use super::{Authority, AuthorityError, authority_purpose, certificate};
use kaliun_domain::rotation::{Course, Pause, Phase, Rotation, Standing, Steering};
use kaliun_store::{
    Actor, Author, AuthorityRow, AuthorityRows, OrganizationScope, StoreError, TrustBundleRow, UnsignedBundle,
    WaitingStep,
};
use kaliun_types::limits::TRUST_BUNDLES_MAX;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// A step was not taken.
#[derive(Debug, Error)]
pub(crate) enum RotationError {
    /// There is no such step from here.
    #[error("the rotation is in the phase {}; look where it stands with `fleetctl ca status`", word(*.0))]
    OtherPhase(Phase),
    /// Devices have not come along.
    #[error("{} of {} devices have not come along; see them with `fleetctl ca stragglers`, wait for them, or force it", .0.devices - .0.ready, .0.devices)]
    NotReady(Standing),
    /// Devices have what would not be believed any more.
    #[error(
        "{} of {} devices have a certificate of the next authority, which nobody would believe; see them with `fleetctl ca stragglers --backwards`, wait until they have another one, or force it", .0.devices - .0.ready, .0.devices
    )]
    NotBack(Standing),
    /// Somebody told it to stand still.
    #[error("the rotation is paused by {}: {}; go on with `fleetctl ca rotate resume` first", .0.by, .0.reason)]
    Paused(Pause),
    /// It does not stand still.
    #[error("the rotation is not paused")]
    NotPaused,
    /// Boxes keep no longer chain.
    #[error(
        "boxes keep {TRUST_BUNDLES_MAX} trust bundles and a rotation adds two; begin a new fleet's chain: set the boxes up anew against a new control plane"
    )]
    ChainFull,
    /// The last that boxes have room for.
    #[error(
        "boxes have room for one more rotation, which is kept for the day on which a key leaks; is it today? `fleetctl ca rotate start --force`"
    )]
    ChainReserved,
    /// There is none.
    #[error("there is no trust bundle to go on from")]
    NoBundle,
    /// Nothing waits for a signature.
    #[error("no trust bundle waits for a signature; look where the rotation stands with `fleetctl ca status`")]
    NothingUnsigned,
    /// What came is not what waits.
    #[error(
        "bundle: this is not trust bundle {0} as it waits for its signature; fetch it anew with `fleetctl ca bundle unsigned`"
    )]
    OtherBundle(i64),
    /// It was signed with another key.
    #[error("signature: trust bundle {0} was not signed with the key that the bundle before it names")]
    OtherSignature(i64),
    /// Keys or certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The database failed, or somebody else was faster.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forwards,
    Backwards,
}

/// Where a rotation stands.
pub(crate) struct RotationNow {
    pub(crate) rotation: Rotation,
    pub(crate) steering: Steering,
    /// Of the newest trust bundle.
    pub(crate) bundle_version: i64,
    /// What waits for a signature.
    pub(crate) unsigned: Option<UnsignedBundle>,
}

/// What is to become of it.
struct Step<'a> {
    after: Rotation,
    steering: Steering,
    /// What it is, where it may need a trust bundle.
    waiting: Option<WaitingStep>,
    /// The trust bundle, when it was signed elsewhere.
    signed: Option<TrustBundleRow>,
    action: &'a str,
    reason: Option<&'a str>,
}

impl<'a> Step<'a> {
    /// One that needs no trust bundle.
    fn steers(after: Rotation, steering: Steering, action: &'a str) -> Self {
        Self { after, steering, waiting: None, signed: None, action, reason: None }
    }

    fn made(&self) -> Option<&AuthorityRow> {
        if let Some(WaitingStep::Start { made, .. }) = &self.waiting { Some(made) } else { None }
    }
}

/// A phase as people know it.
const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Steady => "steady",
        Phase::Trust => "trust",
        Phase::Issue => "issue",
        Phase::Drain => "drain",
    }
}

impl Authority {
    /// Makes a new authority and begins to bring devices to believe it. With a grace the rotation goes on by itself. The last that boxes
    /// have room for is begun by force alone.
    pub(crate) async fn start_rotation(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        grace: Option<Duration>,
        force: bool,
    ) -> Result<(), RotationError> {
        let rows = self.rows().await?;
        match rotations_left(newest(&rows)) {
            0 => return Err(RotationError::ChainFull),
            1 if !force => return Err(RotationError::ChainReserved),
            _ => {}
        }
        let number = rows.authorities.last().map_or(1, |row| row.number.saturating_add(1));
        let after = rows.rotation.start(number).ok_or(RotationError::OtherPhase(rows.rotation.phase()))?;
        let (signer, key) = MemorySigner::generate()?;
        let certificate = certificate::authority(number, Arc::new(signer), self.now())?;
        let sealed_key = self.keys().seal(&authority_purpose(number), &key)?;
        let made =
            AuthorityRow { number, certificate: certificate.to_vec(), sealed_key: Some(sealed_key), is_retired: false };
        let step = self.start_step(after, made, grace);
        self.change(Author::Somebody(scope, actor), &rows, step).await
    }

    /// Goes one phase on or back.
    pub(crate) async fn step_rotation(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        direction: Direction,
        from: Phase,
        force: bool,
    ) -> Result<(), RotationError> {
        let rows = self.rows().await?;
        let now = rows.rotation;
        let (after, gate) = match direction {
            Direction::Forwards => (now.advance(), now.gate(newest(&rows))),
            Direction::Backwards => (now.roll_back(), now.gate_back()),
        };
        let after = after.filter(|_| now.phase() == from).ok_or(RotationError::OtherPhase(now.phase()))?;
        if direction == Direction::Forwards
            && let Some(pause) = &rows.steering.pause
        {
            return Err(RotationError::Paused(pause.clone()));
        }
        if !force {
            let standing = self.store().rotation_count(gate).await?;
            if standing.ready < standing.devices {
                return Err(match direction {
                    Direction::Forwards => RotationError::NotReady(standing),
                    Direction::Backwards => RotationError::NotBack(standing),
                });
            }
        }
        let reason = force.then_some("forced");
        let step = match direction {
            Direction::Forwards => self.advance_step(&rows, after, reason),
            Direction::Backwards => self.roll_back_step(&rows, after, actor, reason),
        };
        self.change(Author::Somebody(scope, actor), &rows, step).await
    }

    /// Stands still from now on: it goes on neither by itself nor by hand. It can be taken back.
    pub(crate) async fn pause_rotation(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        reason: &str,
    ) -> Result<(), RotationError> {
        let rows = self.rows().await?;
        if rows.rotation.phase() == Phase::Steady {
            return Err(RotationError::OtherPhase(Phase::Steady));
        }
        if let Some(pause) = rows.steering.pause {
            return Err(RotationError::Paused(pause));
        }
        let pause = Pause { since: self.now(), by: actor.name.clone(), reason: reason.to_owned() };
        let steering = Steering { pause: Some(pause), ..rows.steering.clone() };
        let step = Step { reason: Some(reason), ..Step::steers(rows.rotation, steering, "ca.rotate.pause") };
        self.change(Author::Somebody(scope, actor), &rows, step).await
    }

    /// Goes on after a pause. Devices are waited for anew.
    pub(crate) async fn resume_rotation(&self, scope: &OrganizationScope, actor: &Actor) -> Result<(), RotationError> {
        let rows = self.rows().await?;
        if rows.steering.pause.is_none() {
            return Err(RotationError::NotPaused);
        }
        let steering = Steering { pause: None, waits_since: self.now(), ..rows.steering.clone() };
        let step = Step::steers(rows.rotation, steering, "ca.rotate.resume");
        self.change(Author::Somebody(scope, actor), &rows, step).await
    }

    /// Takes the next step of a rotation that goes by itself, if it is due. Any number of replicas may try: one of them does it. Answers
    /// what it found; one that is paused counts as one that goes by hand.
    pub(crate) async fn continue_rotation(&self) -> Result<Course, RotationError> {
        // Most of the time there is nothing to do, and then no row is locked, no key is read and no device is counted.
        if !self.store().rotation_goes_by_itself().await? {
            return Ok(Course::ByHand);
        }
        let rows = self.rows().await?;
        let standing = self.store().rotation_count(rows.rotation.gate(newest(&rows))).await?;
        let course = rows.steering.course(rows.rotation.phase(), standing, self.now());
        let (Course::Advance { left_behind }, Some(after)) = (course, rows.rotation.advance()) else {
            return Ok(course);
        };
        let reason = (left_behind > 0)
            .then(|| format!("{left_behind} of {} devices were waited for long enough", standing.devices));
        let step = self.advance_step(&rows, after, reason.as_deref());
        match self.change(Author::Itself, &rows, step).await {
            // Another replica did it, or somebody another thing.
            Ok(()) | Err(RotationError::Store(StoreError::Stale { .. })) => Ok(course),
            Err(error) => Err(error),
        }
    }

    fn start_step(&self, after: Rotation, made: AuthorityRow, grace: Option<Duration>) -> Step<'static> {
        let waiting = Some(WaitingStep::Start { made, grace });
        Step { waiting, ..Step::steers(after, self.begins_now(grace), "ca.rotate.start") }
    }

    fn advance_step<'a>(&self, rows: &AuthorityRows, after: Rotation, reason: Option<&'a str>) -> Step<'a> {
        let steering = self.carries_on(&rows.steering, after);
        let waiting = Some(WaitingStep::Advance);
        Step { waiting, reason, ..Step::steers(after, steering, "ca.rotate.advance") }
    }

    fn roll_back_step<'a>(
        &self,
        rows: &AuthorityRows,
        after: Rotation,
        actor: &Actor,
        reason: Option<&'a str>,
    ) -> Step<'a> {
        let mut steering = self.carries_on(&rows.steering, after);
        if steering.grace.is_some() && steering.pause.is_none() {
            // Else it would go forwards again at once.
            let reason = format!("taken back from the phase {}", word(rows.rotation.phase()));
            steering.pause = Some(Pause { since: self.now(), by: actor.name.clone(), reason });
        }
        let waiting = Some(WaitingStep::RollBack);
        Step { waiting, reason, ..Step::steers(after, steering, "ca.rotate.rollback") }
    }

    /// How a phase begins.
    fn begins_now(&self, grace: Option<Duration>) -> Steering {
        let now = self.now();
        Steering { grace, phase_since: now, waits_since: now, pause: None }
    }

    /// How the next phase is steered after another one. A pause outlasts a step back; the end of the rotation ends it.
    fn carries_on(&self, before: &Steering, after: Rotation) -> Steering {
        if after.phase() == Phase::Steady {
            return self.begins_now(None);
        }
        Steering { pause: before.pause.clone(), ..self.begins_now(before.grace) }
    }

    /// The state as it is kept now. This process follows in a moment.
    pub(crate) async fn rotation_now(&self) -> Result<RotationNow, RotationError> {
        let rows = self.rows().await?;
        let bundle_version = newest(&rows);
        // Of a moment later: at worst it is void by then, and then there is none.
        let unsigned = self.store().unsigned_bundle().await?.filter(|unsigned| unsigned.revision == rows.revision);
        Ok(RotationNow { rotation: rows.rotation, steering: rows.steering, bundle_version, unsigned })
    }

    async fn rows(&self) -> Result<AuthorityRows, RotationError> {
        let rows = self.store().authorities().await?;
        rows.ok_or_else(|| AuthorityError::Damaged { what: "the list of authorities".to_owned() }.into())
    }
}

fn newest(rows: &AuthorityRows) -> i64 {
    rows.bundles.last().map_or(0, |row| row.version)
}

/// How many rotations boxes still have room for, each of two trust bundles, also when it is taken back.
pub(crate) fn rotations_left(bundle_version: i64) -> u32 {
    let used = usize::try_from(bundle_version).unwrap_or(TRUST_BUNDLES_MAX);
    u32::try_from(TRUST_BUNDLES_MAX.saturating_sub(used) / 2).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_have_room_for_63_rotations() {
        let table = [(1, 63), (3, 62), (123, 2), (124, 2), (125, 1), (126, 1), (127, 0), (128, 0), (129, 0), (-1, 0)];
        assert_eq!(table.map(|(version, _)| (version, rotations_left(version))), table);
    }
}
