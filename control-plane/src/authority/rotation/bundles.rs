//! The trust bundles that steps of a rotation need: signed here, or where their key is kept.

use super::{RotationError, Step, word};
use crate::authority::signer::{MemorySigner, Signer};
use crate::authority::{Authority, AuthorityError, authority_purpose, bundle, bundle_purpose, credentials};
use crate::clock;
use kaliun_domain::rotation::Rotation;
use kaliun_proto::enrollment::v1::TrustBundle;
use kaliun_store::{
    Actor, Author, AuthorityRow, AuthorityRows, OrganizationScope, RotationChange, TrustBundleRow, UnsignedBundle,
    WaitingStep,
};
use prost::Message;

/// A bundle for a change.
enum Next {
    Signed(TrustBundleRow),
    /// The key that signs it is kept elsewhere.
    Unsigned(TrustBundle),
}

impl Authority {
    /// Takes a step. When it needs a trust bundle that cannot be signed here, the bundle is kept until its signature comes.
    pub(super) async fn change(
        &self,
        author: Author<'_>,
        rows: &AuthorityRows,
        mut step: Step<'_>,
    ) -> Result<(), RotationError> {
        let retired = rows.rotation.retired_by(step.after);
        // Whom devices believe changes with a new authority and with one that goes.
        if (step.made().is_some() || retired.is_some()) && step.signed.is_none() {
            match self.next_bundle(rows, step.after, step.made())? {
                Next::Signed(signed) => step.signed = Some(signed),
                Next::Unsigned(bundle) => return self.wait_for_signature(author, rows, step, &bundle).await,
            }
        }
        let change = RotationChange {
            revision: rows.revision,
            after: step.after,
            steering: &step.steering,
            made: step.made(),
            bundle: step.signed.as_ref(),
            retired,
            action: step.action,
            reason: step.reason,
        };
        self.store().rotation_change(author, change).await?;
        self.tell_changed();
        let (action, reason) = (step.action, step.reason);
        tracing::info!(action, phase = word(step.after.phase()), reason, "the authorities changed");
        Ok(())
    }

    /// Takes a bundle that was signed elsewhere, and the step that it was for.
    pub(crate) async fn submit_bundle(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        bundle: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<(), RotationError> {
        let rows = self.rows().await?;
        let unsigned = self.store().unsigned_bundle().await?.filter(|unsigned| unsigned.revision == rows.revision);
        let unsigned = unsigned.ok_or(RotationError::NothingUnsigned)?;
        let version = unsigned.version;
        let newest = rows.bundles.last().ok_or(RotationError::NoBundle)?;
        let damaged = |version| AuthorityError::Damaged { what: bundle_purpose(version) };
        let named = TrustBundle::decode(newest.bundle.as_slice()).map_err(|_error| damaged(newest.version))?;
        let asked = TrustBundle::decode(unsigned.bundle.as_slice()).map_err(|_error| damaged(version))?;
        let given = TrustBundle::decode(bundle.as_slice()).map_err(|_error| RotationError::OtherBundle(version))?;
        // Whoever signs may name another key for the next one; all else is what was asked for.
        let is_asked = TrustBundle { bundle_key: asked.bundle_key.clone(), ..given.clone() } == asked
            && bundle::is_public_key(&given.bundle_key);
        if !is_asked {
            return Err(RotationError::OtherBundle(version));
        }
        if !bundle::verify(&named.bundle_key, &bundle, &signature) {
            return Err(RotationError::OtherSignature(version));
        }
        let signed = TrustBundleRow { version, bundle, signature, sealed_key: None };
        let other_phase = || RotationError::OtherPhase(rows.rotation.phase());
        let step = match unsigned.step {
            WaitingStep::Start { made, grace } => {
                self.start_step(rows.rotation.start(made.number).ok_or_else(other_phase)?, made, grace)
            }
            WaitingStep::Advance => self.advance_step(&rows, rows.rotation.advance().ok_or_else(other_phase)?, None),
            WaitingStep::RollBack => {
                self.roll_back_step(&rows, rows.rotation.roll_back().ok_or_else(other_phase)?, actor, None)
            }
        };
        let step = Step { signed: Some(signed), reason: Some("signed elsewhere"), ..step };
        self.change(Author::Somebody(scope, actor), &rows, step).await
    }

    async fn wait_for_signature(
        &self,
        author: Author<'_>,
        rows: &AuthorityRows,
        step: Step<'_>,
        bundle: &TrustBundle,
    ) -> Result<(), RotationError> {
        let Some(waiting) = step.waiting else { return Err(RotationError::NoBundle) };
        let kept = self.store().unsigned_bundle().await?;
        let kept = kept.filter(|kept| kept.revision == rows.revision && kept.step == waiting);
        if kept.is_some() {
            // Somebody may be signing it at this moment.
            return Ok(());
        }
        let asked_by = match author {
            Author::Somebody(_, actor) => actor.name.clone(),
            Author::Itself => "control-plane".to_owned(),
        };
        let unsigned = UnsignedBundle {
            revision: rows.revision,
            step: waiting,
            version: i64::try_from(bundle.version).unwrap_or(i64::MAX),
            bundle: bundle.encode_to_vec(),
            asked_by,
            asked_at: self.now(),
        };
        self.store().unsigned_bundle_keep(author, &unsigned).await?;
        tracing::info!(version = unsigned.version, "a trust bundle waits for its signature");
        Ok(())
    }

    /// The bundle that names those who are trusted after a change, signed by the key that the newest one names.
    fn next_bundle(
        &self,
        rows: &AuthorityRows,
        after: Rotation,
        made: Option<&AuthorityRow>,
    ) -> Result<Next, RotationError> {
        let newest = rows.bundles.last().ok_or(RotationError::NoBundle)?;
        let damaged = |what: String| AuthorityError::Damaged { what };
        // Boxes believe what is signed here for ever, so each part is looked at once more: who signs, and whom.
        let named =
            TrustBundle::decode(newest.bundle.as_slice()).map_err(|_error| damaged(bundle_purpose(newest.version)))?;
        let known = |number| rows.authorities.iter().chain(made).find(|row| row.number == number && !row.is_retired);
        let authorities = after
            .trusted()
            .map(|number| {
                let row = known(number).ok_or_else(|| damaged(authority_purpose(number)))?;
                Ok(credentials::open(row, self.keys())?.certificate)
            })
            .collect::<Result<Vec<_>, AuthorityError>>()?;
        let version = newest.version.saturating_add(1);
        let Some(sealed) = &newest.sealed_key else {
            return Ok(Next::Unsigned(TrustBundle {
                version: version.unsigned_abs(),
                certificate_authorities: authorities.iter().map(|certificate| certificate.to_vec()).collect(),
                // The same key goes on, unless whoever signs names another one.
                bundle_key: named.bundle_key,
                created_at_ms: clock::to_ms(self.now()),
            }));
        };
        let signer = MemorySigner::new(&self.keys().unseal(&bundle_purpose(newest.version), sealed)?)?;
        if named.bundle_key != signer.public_key() {
            return Err(damaged(bundle_purpose(newest.version)).into());
        }
        let (next_signer, next_key) = MemorySigner::generate()?;
        let signed = bundle::sign(version.unsigned_abs(), &authorities, &signer, next_signer.public_key(), self.now())?;
        Ok(Next::Signed(TrustBundleRow {
            version,
            bundle: signed.bundle,
            signature: signed.signature,
            sealed_key: Some(self.keys().seal(&bundle_purpose(version), &next_key)?),
        }))
    }
}
