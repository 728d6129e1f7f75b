//! The fleet's own certificate authorities and trust bundles, as they are kept: keys come and go sealed.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::rotation::steering_from;
use kaliun_domain::rotation::{Phase, Rotation, Steering};
use tokio_postgres::Row;

/// One authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRow {
    /// 1, 2, 3 and so on, in the order in which they were made.
    pub number: i32,
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// Its key, sealed; none once it is retired.
    pub sealed_key: Option<Vec<u8>>,
    /// Whether nothing that it signed is believed any more.
    pub is_retired: bool,
}

/// One version of the trust bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustBundleRow {
    /// 1, 2, 3 and so on without gaps.
    pub version: i64,
    /// What was signed.
    pub bundle: Vec<u8>,
    /// The signature over it.
    pub signature: Vec<u8>,
    /// The key that signs the next version, sealed; none when it is kept elsewhere.
    pub sealed_key: Option<Vec<u8>>,
}

/// All of it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRows {
    /// Grows with each change.
    pub revision: i64,
    /// Which authority does what.
    pub rotation: Rotation,
    /// How the change from one to the next is steered.
    pub steering: Steering,
    /// Ascending.
    pub authorities: Vec<AuthorityRow>,
    /// Ascending, without gaps, from version 1.
    pub bundles: Vec<TrustBundleRow>,
}

fn authority_from(row: &Row) -> Result<AuthorityRow, StoreError> {
    const TABLE: &str = "authority";
    Ok(AuthorityRow {
        number: column(row, TABLE, "number")?,
        certificate: column(row, TABLE, "certificate")?,
        sealed_key: column(row, TABLE, "sealed_key")?,
        is_retired: column(row, TABLE, "is_retired")?,
    })
}

fn bundle_from(row: &Row) -> Result<TrustBundleRow, StoreError> {
    const TABLE: &str = "trust_bundle";
    Ok(TrustBundleRow {
        version: column(row, TABLE, "version")?,
        bundle: column(row, TABLE, "bundle")?,
        signature: column(row, TABLE, "signature")?,
        sealed_key: column(row, TABLE, "sealed_key")?,
    })
}

impl SystemStore {
    /// All of it; none before the first start.
    ///
    /// # Errors
    /// The database failed.
    pub async fn authorities(&self) -> Result<Option<AuthorityRows>, StoreError> {
        const OPERATION: &str = "authorities";
        const TABLE: &str = "rotation";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Locked, so that what follows is of the same moment: each change takes this row first.
        let Some(row) = txn
            .row_opt(
                "SELECT revision, phase, current_authority, next_authority, grace_seconds, phase_since, waits_since,
                        paused_at, paused_by, pause_reason
                 FROM rotation FOR SHARE",
                &[],
            )
            .await?
        else {
            return Ok(None);
        };
        let authorities = txn
            .rows(
                "SELECT number, certificate, sealed_key, retired_at IS NOT NULL AS is_retired FROM authority ORDER BY number",
                &[],
            )
            .await?;
        let bundles =
            txn.rows("SELECT version, bundle, signature, sealed_key FROM trust_bundle ORDER BY version", &[]).await?;
        txn.commit().await?;
        let phase: i16 = column(&row, TABLE, "phase")?;
        let next: Option<i32> = column(&row, TABLE, "next_authority")?;
        let rotation = Phase::from_number(phase)
            .and_then(|phase| Rotation::new(phase, column(&row, TABLE, "current_authority").ok()?, next))
            .ok_or_else(|| StoreError::Inconsistent { table: TABLE, column: "phase", id: "the only row".to_owned() })?;
        Ok(Some(AuthorityRows {
            revision: column(&row, TABLE, "revision")?,
            rotation,
            steering: steering_from(&row)?,
            authorities: authorities.iter().map(authority_from).collect::<Result<_, _>>()?,
            bundles: bundles.iter().map(bundle_from).collect::<Result<_, _>>()?,
        }))
    }

    /// The number that grows with each change; none before the first start.
    ///
    /// # Errors
    /// The database failed.
    pub async fn authorities_revision(&self) -> Result<Option<i64>, StoreError> {
        const OPERATION: &str = "authorities_revision";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("SELECT revision FROM rotation", &[]).await?;
        txn.commit().await?;
        row.map(|row| column(&row, "rotation", "revision")).transpose()
    }

    /// Whether there are devices, deleted ones too, or join tokens, but no authority.
    ///
    /// # Errors
    /// The database failed.
    pub async fn has_boxes_without_authority(&self) -> Result<bool, StoreError> {
        const OPERATION: &str = "has_boxes_without_authority";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // In one statement: while somebody else begins, there is an authority before there is anything else.
        let row = txn
            .row_opt(
                "SELECT NOT EXISTS (SELECT FROM rotation) AND (EXISTS (SELECT FROM device) OR EXISTS (SELECT FROM join_token)) AS has",
                &[],
            )
            .await?;
        txn.commit().await?;
        row.map_or(Ok(false), |row| column(&row, "device", "has"))
    }

    /// Keeps the first authority and the first bundle, unless another replica was faster.
    ///
    /// # Errors
    /// The database failed.
    pub async fn authorities_begin(&self, authority: &AuthorityRow, bundle: &TrustBundleRow) -> Result<(), StoreError> {
        const OPERATION: &str = "authorities_begin";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // The second of two waits here for the first, and then has nothing to do.
        let is_first = txn
            .execute(
                "INSERT INTO authority (number, certificate, sealed_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &[&authority.number, &authority.certificate, &authority.sealed_key],
            )
            .await?;
        if is_first == 0 {
            return Ok(());
        }
        txn.execute(
            "INSERT INTO trust_bundle (version, bundle, signature, sealed_key) VALUES ($1, $2, $3, $4)",
            &[&bundle.version, &bundle.bundle, &bundle.signature, &bundle.sealed_key],
        )
        .await?;
        txn.execute("INSERT INTO rotation (current_authority) VALUES ($1)", &[&authority.number]).await?;
        txn.commit().await
    }
}
