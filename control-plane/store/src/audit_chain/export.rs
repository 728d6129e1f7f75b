//! Reading a chain from one end to the other, a page at a time, for whoever verifies it.

use super::row::{self, entry_columns, hash, signed, unsigned};
use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_types::audit::{Checkpoint, Cut, Entry, Hash};
use kaliun_types::id::OrganizationId;
use tokio_postgres::Row;

/// Makes the id of a public key.
type KeyId = fn(&[u8]) -> Hash;

/// What is known before the first row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditStart {
    /// Where it begins, when old rows were deleted.
    pub cut: Option<Cut>,
    /// The public keys, in the order in which they were made.
    pub keys: Vec<Vec<u8>>,
    /// How often the database has come back from a backup.
    pub incarnation: u64,
}

/// Some rows of a chain, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The rows.
    pub entries: Vec<Entry>,
    /// The checkpoints at them, and on the last page those that are beyond them.
    pub checkpoints: Vec<Checkpoint>,
    /// The last row that was deleted for its age, by now.
    pub cut_sequence: u64,
    /// What follows the last row; none when there is another page.
    pub tail: Option<AuditTail>,
}

/// What is known after the last row, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditTail {
    /// The chain's own record of its newest row; none before the first is sealed.
    pub head: Option<(u64, Hash)>,
    /// Rows that wait to be sealed, up to 10,000.
    pub unsealed: u64,
    /// When the oldest of them was written, microseconds since the Unix epoch.
    pub unsealed_since_us: Option<i64>,
    /// Rows that wait and say that something was erased: target, and what was after, each.
    pub unsealed_erasures: Vec<(String, String)>,
    /// Now, by the database's clock, microseconds since the Unix epoch.
    pub now_us: i64,
}

impl AppStore {
    /// Where the chain begins, and who signs it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_start(&self, scope: &OrganizationScope, key_id: KeyId) -> Result<AuditStart, StoreError> {
        const OPERATION: &str = "audit_start";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let start = start(&txn, scope.organization(), key_id).await?;
        txn.commit().await?;
        Ok(start)
    }

    /// The rows after one, at most `limit`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_page(
        &self,
        scope: &OrganizationScope,
        after: u64,
        limit: usize,
        key_id: KeyId,
    ) -> Result<AuditPage, StoreError> {
        const OPERATION: &str = "audit_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let page = page(&txn, scope.organization(), after, limit, key_id).await?;
        txn.commit().await?;
        Ok(page)
    }
}

impl SystemStore {
    /// All organizations that have an audit, by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_organization_list(&self) -> Result<Vec<OrganizationId>, StoreError> {
        const OPERATION: &str = "audit_organization_list";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // For somebody at the machine, who is about to read all of their rows, too.
        let rows = txn
            .rows(
                "SELECT o.id FROM organization o
                 WHERE EXISTS (SELECT FROM audit a WHERE a.organization_id = o.id)
                    OR EXISTS (SELECT FROM audit_chain c WHERE c.organization_id = o.id) ORDER BY o.id",
                &[],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(|row| column(row, "organization", "id")).collect()
    }

    /// As [`AppStore::audit_start`], for somebody at the machine.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_start(&self, organization: OrganizationId, key_id: KeyId) -> Result<AuditStart, StoreError> {
        const OPERATION: &str = "audit_start";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let start = start(&txn, organization, key_id).await?;
        txn.commit().await?;
        Ok(start)
    }

    /// As [`AppStore::audit_page`], for somebody at the machine.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_page(
        &self,
        organization: OrganizationId,
        after: u64,
        limit: usize,
        key_id: KeyId,
    ) -> Result<AuditPage, StoreError> {
        const OPERATION: &str = "audit_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let page = page(&txn, organization, after, limit, key_id).await?;
        txn.commit().await?;
        Ok(page)
    }

    /// Checkpoints of all organizations, in the order in which they were signed: those after one, at most `limit`, with their times. For
    /// who keeps them outside.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_checkpoint_list_since(
        &self,
        after: (i64, OrganizationId, u64),
        limit: i64,
        key_id: KeyId,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        const OPERATION: &str = "audit_checkpoint_list_since";
        let (at_us, organization, sequence) = after;
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT k.organization_id, k.sequence, k.incarnation, k.hash,
                        (extract(epoch FROM k.signed_at) * 1000000)::bigint AS at_us, y.public_key, k.signature
                 FROM audit_checkpoint k JOIN audit_key y ON y.number = k.key_number
                 WHERE (k.signed_at, k.organization_id, k.sequence)
                       > (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2, $3)
                 ORDER BY k.signed_at, k.organization_id, k.sequence LIMIT $4",
                &[&at_us, &organization, &signed(sequence), &limit],
            )
            .await?;
        txn.commit().await?;
        let checkpoint = |row| row::checkpoint(column(row, "audit_checkpoint", "organization_id")?, row, key_id);
        rows.iter().map(checkpoint).collect()
    }
}

async fn start(txn: &Txn<'_>, organization: OrganizationId, key_id: KeyId) -> Result<AuditStart, StoreError> {
    let keys = txn.rows("SELECT public_key FROM audit_key ORDER BY number", &[]).await?;
    let row = txn
        .row_opt(
            "SELECT l.incarnation, coalesce(c.cut_sequence, 0) AS cut_sequence, c.cut_hash,
                    (extract(epoch FROM c.cut_at) * 1000000)::bigint AS cut_at_us, y.public_key AS cut_public_key, c.cut_signature
             FROM cluster l LEFT JOIN audit_chain c ON c.organization_id = $1 LEFT JOIN audit_key y ON y.number = c.cut_key",
            &[&organization],
        )
        .await?;
    let row = row.ok_or_else(|| StoreError::Inconsistent {
        table: "cluster",
        column: "singleton",
        id: "the only row".to_owned(),
    })?;
    Ok(AuditStart {
        cut: row::cut(organization, &row, key_id)?,
        keys: keys.iter().map(|key| column(key, "audit_key", "public_key")).collect::<Result<_, _>>()?,
        incarnation: unsigned(&row, "cluster", "incarnation")?,
    })
}

async fn page(
    txn: &Txn<'_>,
    organization: OrganizationId,
    after: u64,
    limit: usize,
    key_id: KeyId,
) -> Result<AuditPage, StoreError> {
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
    // Before the rows: a checkpoint and its row are committed together, so none of these is about a row that is not there yet.
    let checkpoints = txn
        .rows(
            "SELECT k.sequence, k.incarnation, k.hash, (extract(epoch FROM k.signed_at) * 1000000)::bigint AS at_us,
                    y.public_key, k.signature
             FROM audit_checkpoint k JOIN audit_key y ON y.number = k.key_number
             WHERE k.organization_id = $1 AND k.sequence > $2 ORDER BY k.sequence LIMIT $3",
            &[&organization, &signed(after), &wanted],
        )
        .await?;
    // One statement, for all of it is to be of one moment: rows are sealed while this reads.
    let rows = txn
        .rows(
            concat!(
                "SELECT c.head_sequence, c.head_hash, coalesce(c.cut_sequence, 0) AS cut_sequence,
                     w.unsealed, w.since_us, e.targets, e.afters,
                     (extract(epoch FROM statement_timestamp()) * 1000000)::bigint AS now_us, r.*
                 FROM (SELECT 1) one
                 LEFT JOIN audit_chain c ON c.organization_id = $1
                 CROSS JOIN LATERAL (
                     SELECT count(*) AS unsealed, (extract(epoch FROM min(u.at)) * 1000000)::bigint AS since_us
                     FROM (SELECT at FROM audit WHERE organization_id = $1 AND sequence IS NULL ORDER BY id LIMIT 10000) u) w
                 CROSS JOIN LATERAL (
                     SELECT array_agg(u.target) AS targets, array_agg(u.after) AS afters
                     FROM (SELECT target, coalesce(after::text, '') AS after FROM audit
                           WHERE organization_id = $1 AND sequence IS NULL AND action = 'audit.erase' ORDER BY id LIMIT 10000) u) e
                 LEFT JOIN LATERAL (
                     SELECT ",
                entry_columns!(),
                "    FROM audit a WHERE a.organization_id = $1 AND a.sequence > $2 ORDER BY a.sequence LIMIT $3) r ON true
                 ORDER BY r.sequence"
            ),
            &[&organization, &signed(after), &wanted],
        )
        .await?;
    let first = rows.first().ok_or_else(|| StoreError::Inconsistent {
        table: "audit",
        column: "sequence",
        id: organization.to_string(),
    })?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        if column::<Option<i64>>(row, "audit", "id")?.is_some() {
            entries.push(row::entry(organization, row)?);
        }
    }
    let last = entries.last().map_or(after, |entry| entry.sequence);
    let is_last = entries.len() < limit;
    let checkpoints: Result<Vec<Checkpoint>, StoreError> =
        checkpoints.iter().map(|row| row::checkpoint(organization, row, key_id)).collect();
    Ok(AuditPage {
        entries,
        checkpoints: checkpoints?.into_iter().filter(|checkpoint| is_last || checkpoint.sequence <= last).collect(),
        cut_sequence: unsigned(first, "audit_chain", "cut_sequence")?,
        tail: if is_last { Some(tail(first)?) } else { None },
    })
}

fn tail(row: &Row) -> Result<AuditTail, StoreError> {
    const TABLE: &str = "audit";
    let head = match column::<Option<i64>>(row, "audit_chain", "head_sequence")? {
        Some(1..) => {
            let sequence = unsigned(row, "audit_chain", "head_sequence")?;
            Some((sequence, hash(row, "audit_chain", "head_hash")?.unwrap_or_default()))
        }
        Some(_) | None => None,
    };
    let targets: Option<Vec<String>> = column(row, TABLE, "targets")?;
    let afters: Option<Vec<String>> = column(row, TABLE, "afters")?;
    Ok(AuditTail {
        head,
        unsealed: unsigned(row, TABLE, "unsealed")?,
        unsealed_since_us: column(row, TABLE, "since_us")?,
        unsealed_erasures: targets.unwrap_or_default().into_iter().zip(afters.unwrap_or_default()).collect(),
        now_us: column(row, TABLE, "now_us")?,
    })
}
