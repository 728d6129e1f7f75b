//! Steps from one authority to the next. Each is one transaction; the replicas follow within seconds.

use super::signer::{MemorySigner, Signer};
use super::{Authority, AuthorityError, authority_purpose, bundle, bundle_purpose, certificate, credentials};
use kaliun_domain::rotation::{Course, Pause, Phase, Rotation, Standing, Steering};
use kaliun_proto::enrollment::v1::TrustBundle;
use kaliun_store::{
    Actor, Author, AuthorityRow, AuthorityRows, OrganizationScope, RotationChange, StoreError, TrustBundleRow,
};
use kaliun_types::limits::TRUST_BUNDLES_MAX;
use prost::Message;
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
    /// The key that signs the next trust bundle is kept elsewhere.
    #[error("the key that signs the next trust bundle is not here; bring the signed bundle")]
    NoBundleKey,
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
}

/// What is to become of it.
struct Step<'a> {
    after: Rotation,
    steering: Steering,
    made: Option<AuthorityRow>,
    action: &'a str,
    reason: Option<&'a str>,
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
    /// Makes a new authority and begins to bring devices to believe it. With a grace the rotation goes on by itself.
    pub(crate) async fn start_rotation(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        grace: Option<Duration>,
    ) -> Result<(), RotationError> {
        let rows = self.rows().await?;
        if rows.bundles.len() + 2 > TRUST_BUNDLES_MAX {
            return Err(RotationError::ChainFull);
        }
        let number = rows.authorities.last().map_or(1, |row| row.number.saturating_add(1));
        let after = rows.rotation.start(number).ok_or(RotationError::OtherPhase(rows.rotation.phase()))?;
        let (signer, key) = MemorySigner::generate()?;
        let certificate = certificate::authority(number, Arc::new(signer), self.now())?;
        let sealed_key = self.keys().seal(&authority_purpose(number), &key)?;
        let made = AuthorityRow { number, certificate: certificate.to_vec(), sealed_key, is_retired: false };
        let step =
            Step { after, steering: self.begins_now(grace), made: Some(made), action: "ca.rotate.start", reason: None };
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
        let (after, gate, action) = match direction {
            Direction::Forwards => (now.advance(), now.gate(newest(&rows)), "ca.rotate.advance"),
            Direction::Backwards => (now.roll_back(), now.gate_back(), "ca.rotate.rollback"),
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
                return Err(RotationError::NotReady(standing));
            }
        }
        let mut steering = self.carries_on(&rows.steering, after);
        if direction == Direction::Backwards && steering.grace.is_some() && steering.pause.is_none() {
            // Else it would go forwards again at once.
            let reason = format!("taken back from the phase {}", word(from));
            steering.pause = Some(Pause { since: self.now(), by: actor.name.clone(), reason });
        }
        let reason = force.then_some("forced");
        self.change(Author::Somebody(scope, actor), &rows, Step { after, steering, made: None, action, reason }).await
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
        let step = Step { after: rows.rotation, steering, made: None, action: "ca.rotate.pause", reason: Some(reason) };
        self.change(Author::Somebody(scope, actor), &rows, step).await
    }

    /// Goes on after a pause. Devices are waited for anew.
    pub(crate) async fn resume_rotation(&self, scope: &OrganizationScope, actor: &Actor) -> Result<(), RotationError> {
        let rows = self.rows().await?;
        if rows.steering.pause.is_none() {
            return Err(RotationError::NotPaused);
        }
        let steering = Steering { pause: None, waits_since: self.now(), ..rows.steering.clone() };
        let step = Step { after: rows.rotation, steering, made: None, action: "ca.rotate.resume", reason: None };
        self.change(Author::Somebody(scope, actor), &rows, step).await
    }

    /// Takes the next step of a rotation that goes by itself, if it is due. Any number of replicas may try: one of them does it. Answers
    /// what it found.
    pub(crate) async fn continue_rotation(&self) -> Result<Course, RotationError> {
        let rows = self.rows().await?;
        if rows.steering.grace.is_none() || rows.steering.pause.is_some() {
            // Devices need not be counted.
            return Ok(rows.steering.course(rows.rotation.phase(), Standing::default(), self.now()));
        }
        let standing = self.store().rotation_count(rows.rotation.gate(newest(&rows))).await?;
        let course = rows.steering.course(rows.rotation.phase(), standing, self.now());
        let (Course::Advance { left_behind }, Some(after)) = (course, rows.rotation.advance()) else {
            return Ok(course);
        };
        let steering = self.carries_on(&rows.steering, after);
        let reason = (left_behind > 0)
            .then(|| format!("{left_behind} of {} devices were waited for long enough", standing.devices));
        let step = Step { after, steering, made: None, action: "ca.rotate.advance", reason: reason.as_deref() };
        match self.change(Author::Itself, &rows, step).await {
            // Another replica did it, or somebody another thing.
            Ok(()) | Err(RotationError::Store(StoreError::Stale { .. })) => Ok(course),
            Err(error) => Err(error),
        }
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
        Ok(RotationNow { rotation: rows.rotation, steering: rows.steering, bundle_version })
    }

    async fn rows(&self) -> Result<AuthorityRows, RotationError> {
        let rows = self.store().authorities().await?;
        rows.ok_or_else(|| AuthorityError::Damaged { what: "the list of authorities".to_owned() }.into())
    }

    async fn change(&self, author: Author<'_>, rows: &AuthorityRows, step: Step<'_>) -> Result<(), RotationError> {
        let Step { after, steering, made, action, reason } = step;
        let retired = rows.rotation.retired_by(after);
        // Whom devices believe changes with a new authority and with one that goes.
        let bundle = if made.is_some() || retired.is_some() {
            Some(self.next_bundle(rows, after, made.as_ref())?)
        } else {
            None
        };
        let change = RotationChange {
            revision: rows.revision,
            after,
            steering: &steering,
            made: made.as_ref(),
            bundle: bundle.as_ref(),
            retired,
            action,
            reason,
        };
        self.store().rotation_change(author, change).await?;
        self.tell_changed();
        tracing::info!(action, phase = word(after.phase()), reason, "the authorities changed");
        Ok(())
    }

    /// The bundle that names those who are trusted after a change, signed by the key that the newest one names.
    fn next_bundle(
        &self,
        rows: &AuthorityRows,
        after: Rotation,
        made: Option<&AuthorityRow>,
    ) -> Result<TrustBundleRow, RotationError> {
        let newest = rows.bundles.last().ok_or(RotationError::NoBundleKey)?;
        let sealed = newest.sealed_key.as_ref().ok_or(RotationError::NoBundleKey)?;
        let signer = MemorySigner::new(&self.keys().unseal(&bundle_purpose(newest.version), sealed)?)?;
        let damaged = |what: String| AuthorityError::Damaged { what };
        // Boxes believe what is signed here for ever, so each part is looked at once more: who signs, and whom.
        let named =
            TrustBundle::decode(newest.bundle.as_slice()).map_err(|_error| damaged(bundle_purpose(newest.version)))?;
        if named.bundle_key != signer.public_key() {
            return Err(damaged(bundle_purpose(newest.version)).into());
        }
        let known = |number| rows.authorities.iter().chain(made).find(|row| row.number == number && !row.is_retired);
        let authorities = after
            .trusted()
            .map(|number| {
                let row = known(number).ok_or_else(|| damaged(authority_purpose(number)))?;
                Ok(credentials::open(row, self.keys())?.certificate)
            })
            .collect::<Result<Vec<_>, AuthorityError>>()?;
        let version = newest.version.saturating_add(1);
        let (next_signer, next_key) = MemorySigner::generate()?;
        let signed = bundle::sign(version.unsigned_abs(), &authorities, &signer, next_signer.public_key(), self.now())?;
        Ok(TrustBundleRow {
            version,
            bundle: signed.bundle,
            signature: signed.signature,
            sealed_key: Some(self.keys().seal(&bundle_purpose(version), &next_key)?),
        })
    }
}

fn newest(rows: &AuthorityRows) -> i64 {
    rows.bundles.last().map_or(0, |row| row.version)
}
