//! The step of a rotation that waits for a trust bundle's signature, made where the key is kept.

use crate::authorities::AuthorityRow;
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::rotation::{Author, audit_in_txn};
use serde_json::json;
use std::time::{Duration, SystemTime};
use tokio_postgres::Row;

const TABLE: &str = "unsigned_bundle";

/// What follows once it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingStep {
    /// A rotation begins.
    Start {
        /// The new authority.
        made: AuthorityRow,
        /// How long devices are waited for, when it goes by itself.
        grace: Option<Duration>,
    },
    /// It goes on a phase.
    Advance,
    /// It goes back a phase.
    RollBack,
}

/// A bundle without a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedBundle {
    /// Of the rotation that the step begins from. With another one it is void.
    pub revision: i64,
    /// What follows.
    pub step: WaitingStep,
    /// Its version.
    pub version: i64,
    /// What is to be signed.
    pub bundle: Vec<u8>,
    /// Who asked for it, as in the audit.
    pub asked_by: String,
    /// Since when it waits.
    pub asked_at: SystemTime,
}

impl WaitingStep {
    const fn number(&self) -> i16 {
        match self {
            Self::Start { .. } => 1,
            Self::Advance => 2,
            Self::RollBack => 3,
        }
    }
}

fn from_row(row: &Row) -> Result<UnsignedBundle, StoreError> {
    let step: i16 = column(row, TABLE, "step")?;
    let step = match step {
        1 => WaitingStep::Start {
            made: AuthorityRow {
                number: column(row, TABLE, "authority_number")?,
                certificate: column(row, TABLE, "authority_certificate")?,
                sealed_key: Some(column(row, TABLE, "authority_sealed_key")?),
                is_retired: false,
            },
            grace: column::<Option<i64>>(row, TABLE, "grace_seconds")?
                .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        },
        2 => WaitingStep::Advance,
        3 => WaitingStep::RollBack,
        _ => {
            return Err(StoreError::Inconsistent { table: TABLE, column: "step", id: "the only row".to_owned() });
        }
    };
    Ok(UnsignedBundle {
        revision: column(row, TABLE, "revision")?,
        step,
        version: column(row, TABLE, "version")?,
        bundle: column(row, TABLE, "bundle")?,
        asked_by: column(row, TABLE, "asked_by")?,
        asked_at: column(row, TABLE, "asked_at")?,
    })
}

impl SystemStore {
    /// The bundle that waits for its signature; none when none does, or when what it was for is over.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unsigned_bundle(&self) -> Result<Option<UnsignedBundle>, StoreError> {
        const OPERATION: &str = "unsigned_bundle";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT u.revision, u.step, u.version, u.bundle, u.asked_by, u.asked_at, u.authority_number,
                        u.authority_certificate, u.authority_sealed_key, u.grace_seconds
                 FROM unsigned_bundle u JOIN rotation r ON r.revision = u.revision",
                &[],
            )
            .await?;
        txn.commit().await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Keeps one, in place of any other.
    ///
    /// # Errors
    /// The rotation was changed meanwhile (`Stale`), or the database failed.
    pub async fn unsigned_bundle_keep(&self, author: Author<'_>, unsigned: &UnsignedBundle) -> Result<(), StoreError> {
        const OPERATION: &str = "unsigned_bundle_keep";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("SELECT revision FROM rotation FOR UPDATE", &[]).await?;
        if row.map(|row| column::<i64>(&row, "rotation", "revision")).transpose()? != Some(unsigned.revision) {
            return Err(StoreError::Stale { what: "the rotation" });
        }
        let (made, grace) = match &unsigned.step {
            WaitingStep::Start { made, grace } => (Some(made), *grace),
            WaitingStep::Advance | WaitingStep::RollBack => (None, None),
        };
        let grace_seconds = grace.map(|grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
        txn.execute("DELETE FROM unsigned_bundle", &[]).await?;
        txn.execute(
            "INSERT INTO unsigned_bundle (revision, step, version, bundle, asked_by, asked_at, authority_number, authority_certificate,
                                          authority_sealed_key, grace_seconds)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                &unsigned.revision,
                &unsigned.step.number(),
                &unsigned.version,
                &unsigned.bundle,
                &unsigned.asked_by,
                &unsigned.asked_at,
                &made.map(|made| made.number),
                &made.map(|made| &made.certificate),
                &made.map(|made| &made.sealed_key),
                &grace_seconds,
            ],
        )
        .await?;
        let after = json!({ "version": unsigned.version, "step": unsigned.step.number() });
        audit_in_txn(&txn, author, "ca.bundle.prepare", after).await?;
        txn.commit().await
    }
}
