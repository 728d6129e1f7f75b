//! Steps from one authority to the next. Each is one transaction; the replicas follow within seconds.

use super::signer::{MemorySigner, Signer};
use super::{Authority, AuthorityError, authority_purpose, bundle, bundle_purpose, certificate, credentials};
use kaliun_domain::rotation::{Phase, Rotation};
use kaliun_proto::enrollment::v1::TrustBundle;
use kaliun_store::{
    Actor, AuthorityRow, AuthorityRows, OrganizationScope, RotationChange, RotationCount, StoreError, TrustBundleRow,
};
use kaliun_types::limits::TRUST_BUNDLES_MAX;
use prost::Message;
use std::sync::Arc;
use thiserror::Error;

/// A step was not taken.
#[derive(Debug, Error)]
pub(crate) enum RotationError {
    /// There is no such step from here.
    #[error("the rotation is in the phase {0:?}; look where it stands and try again")]
    OtherPhase(Phase),
    /// Devices have not come along.
    #[error("{} of {} devices have not come along; see them with `fleetctl ca stragglers`, wait for them, or force it", .0.devices - .0.ready, .0.devices)]
    NotReady(RotationCount),
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

impl Authority {
    /// Makes a new authority and begins to bring devices to believe it.
    pub(crate) async fn start_rotation(&self, scope: &OrganizationScope, actor: &Actor) -> Result<(), RotationError> {
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
        self.change(scope, actor, &rows, after, Some(made), "ca.rotate.start").await
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
        if !force {
            let count = self.store().rotation_count(gate).await?;
            if count.ready < count.devices {
                return Err(RotationError::NotReady(count));
            }
        }
        self.change(scope, actor, &rows, after, None, action).await
    }

    /// The state as it is kept now, and the newest bundle's version. This process follows in a moment.
    pub(crate) async fn rotation_now(&self) -> Result<(Rotation, i64), RotationError> {
        let rows = self.rows().await?;
        Ok((rows.rotation, newest(&rows)))
    }

    async fn rows(&self) -> Result<AuthorityRows, RotationError> {
        let rows = self.store().authorities().await?;
        rows.ok_or_else(|| AuthorityError::Damaged { what: "the list of authorities".to_owned() }.into())
    }

    async fn change(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        rows: &AuthorityRows,
        after: Rotation,
        made: Option<AuthorityRow>,
        action: &str,
    ) -> Result<(), RotationError> {
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
            made: made.as_ref(),
            bundle: bundle.as_ref(),
            retired,
            action,
        };
        self.store().rotation_change(scope, actor, change).await?;
        self.tell_changed();
        tracing::info!(action, phase = ?after.phase(), "the authorities changed");
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
