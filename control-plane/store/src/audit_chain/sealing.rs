//! Sealing: committed rows get numbers and hashes, in the order in which they can be seen to be committed.

use super::row::{self, entry_columns, hash, signed, unsigned};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_types::audit::{Checkpoint, Digests, Entry, Hash};
use kaliun_types::id::{OrganizationId, ReplicaId};
use std::time::Duration;

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    /// Whose.
    pub organization: OrganizationId,
    /// The newest sealed row; 0 before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// The newest row with a checkpoint; 0 before the first.
    pub checkpoint_sequence: u64,
    /// How old that checkpoint is; none before the first.
    pub checkpoint_age: Option<Duration>,
}

/// A chain that this replica seals for a while, and what is next.
#[derive(Debug)]
pub struct TakenChain {
    /// Where it ends.
    pub head: ChainHead,
    /// Rows that wait, in the order in which they are to be sealed.
    pub entries: Vec<Entry>,
    /// How often the database has come back from a backup.
    pub incarnation: u64,
    /// Now, by the database's clock, microseconds since the Unix epoch.
    pub now_us: i64,
}

/// What the seal of a row is.
#[derive(Debug, Clone)]
pub struct SealedEntry {
    /// The row.
    pub id: i64,
    /// Its number.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// The digests of what may be erased.
    pub digests: Digests,
}

impl SystemStore {
    /// Organizations in which something waits to be sealed, or was sealed and has had no checkpoint for `unsigned_for`: those after one,
    /// by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_chain_list_due(
        &self,
        after: OrganizationId,
        unsigned_for: Duration,
        limit: i64,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        const OPERATION: &str = "audit_chain_list_due";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // From one organization to the next by the index of what waits, so it costs as much as there are organizations with news, and
        // nothing for all the others and for all the rows.
        let rows = txn
            .rows(
                "WITH RECURSIVE waiting AS (
                     (SELECT organization_id FROM audit WHERE sequence IS NULL AND organization_id > $1
                      ORDER BY organization_id LIMIT 1)
                     UNION ALL
                     SELECT (SELECT a.organization_id FROM audit a WHERE a.sequence IS NULL AND a.organization_id > w.organization_id
                             ORDER BY a.organization_id LIMIT 1)
                     FROM waiting w WHERE w.organization_id IS NOT NULL)
                 (SELECT organization_id FROM waiting WHERE organization_id IS NOT NULL LIMIT $3)
                 UNION
                 (SELECT organization_id FROM audit_chain
                  WHERE head_sequence > checkpoint_sequence AND organization_id > $1
                    AND checkpoint_at < now() - make_interval(secs => $2)
                  ORDER BY organization_id LIMIT $3)
                 ORDER BY organization_id LIMIT $3",
                &[&after, &unsigned_for.as_secs_f64(), &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(|row| column(row, "audit", "organization_id")).collect()
    }

    /// Takes a chain for `lease` and reads what is to be sealed next, at most `limit` rows. None while another replica has it. `genesis`
    /// is the hash before the first row.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_chain_take(
        &self,
        organization: OrganizationId,
        genesis: &Hash,
        replica: ReplicaId,
        lease: Duration,
        limit: i64,
    ) -> Result<Option<TakenChain>, StoreError> {
        const OPERATION: &str = "audit_chain_take";
        const TABLE: &str = "audit_chain";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute(
            "INSERT INTO audit_chain (organization_id, head_hash) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[&organization, &genesis.as_slice()],
        )
        .await?;
        let taken = txn
            .row_opt(
                "UPDATE audit_chain SET sealer = $2, leased_until = now() + make_interval(secs => $3)
                 WHERE organization_id = (SELECT organization_id FROM audit_chain
                     WHERE organization_id = $1 AND (sealer = $2 OR leased_until < now()) FOR UPDATE SKIP LOCKED)
                 RETURNING head_sequence, head_hash, checkpoint_sequence,
                     CASE WHEN isfinite(checkpoint_at) THEN extract(epoch FROM now() - checkpoint_at)::double precision END AS checkpoint_age,
                     (SELECT incarnation FROM cluster) AS incarnation, (extract(epoch FROM now()) * 1000000)::bigint AS now_us",
                &[&organization, &replica, &lease.as_secs_f64()],
            )
            .await?;
        let Some(taken) = taken else { return Ok(None) };
        // In the order of their numbers: whoever began after another change was committed has a higher one. One that commits late is not
        // seen now, and comes after those that are.
        let rows = txn
            .rows(
                concat!(
                    "SELECT ",
                    entry_columns!(),
                    " FROM audit a WHERE a.organization_id = $1 AND a.sequence IS NULL ORDER BY a.id LIMIT $2"
                ),
                &[&organization, &limit],
            )
            .await?;
        txn.commit().await?;
        let checkpoint_age: Option<f64> = column(&taken, TABLE, "checkpoint_age")?;
        let head_hash = hash(&taken, TABLE, "head_hash")?;
        let head = ChainHead {
            organization,
            sequence: unsigned(&taken, TABLE, "head_sequence")?,
            hash: head_hash.unwrap_or_default(),
            checkpoint_sequence: unsigned(&taken, TABLE, "checkpoint_sequence")?,
            checkpoint_age: checkpoint_age.map(|age| Duration::try_from_secs_f64(age).unwrap_or_default()),
        };
        Ok(Some(TakenChain {
            head,
            entries: rows.iter().map(|row| row::entry(organization, row)).collect::<Result<_, _>>()?,
            incarnation: unsigned(&taken, "cluster", "incarnation")?,
            now_us: column(&taken, TABLE, "now_us")?,
        }))
    }

    /// Writes seals, and a checkpoint at the new end with the key of a number. All of it or nothing: answers false when the chain has
    /// another end by now, or another sealer, or one of the rows is not what it was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_seal(
        &self,
        head: &ChainHead,
        replica: ReplicaId,
        sealed: &[SealedEntry],
        checkpoint: Option<(&Checkpoint, i32)>,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "audit_seal";
        let (new_sequence, new_hash) =
            sealed.last().map_or((head.sequence, &head.hash), |last| (last.sequence, &last.hash));
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let moved = txn
            .execute(
                "UPDATE audit_chain SET head_sequence = $5, head_hash = $6
                 WHERE organization_id = $1 AND sealer = $2 AND head_sequence = $3 AND head_hash = $4",
                &[
                    &head.organization,
                    &replica,
                    &signed(head.sequence),
                    &head.hash.as_slice(),
                    &signed(new_sequence),
                    &new_hash.as_slice(),
                ],
            )
            .await?;
        if moved != 1 {
            return Ok(false);
        }
        if !sealed.is_empty() && !write(&txn, head.organization, sealed).await? {
            return Ok(false);
        }
        if let Some((checkpoint, key)) = checkpoint {
            sign(&txn, checkpoint, key).await?;
        }
        txn.commit().await?;
        Ok(true)
    }
}

/// Writes the seals of rows that have none. Answers whether all of them were so.
async fn write(txn: &Txn<'_>, organization: OrganizationId, sealed: &[SealedEntry]) -> Result<bool, StoreError> {
    let ids: Vec<i64> = sealed.iter().map(|entry| entry.id).collect();
    let sequences: Vec<i64> = sealed.iter().map(|entry| signed(entry.sequence)).collect();
    let hashes: Vec<&[u8]> = sealed.iter().map(|entry| entry.hash.as_slice()).collect();
    let digests = |place: usize| -> Vec<Option<&[u8]>> {
        sealed.iter().map(|entry| entry.digests.get(place)?.as_ref().map(<[u8; 32]>::as_slice)).collect()
    };
    let [names, sources, befores, afters] = [digests(0), digests(1), digests(2), digests(3)];
    let written = txn
        .execute(
            "UPDATE audit a SET sequence = s.sequence, hash = s.hash, actor_digest = s.name, source_digest = s.source,
                 before_digest = s.before, after_digest = s.after
             FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[])
                 AS s (id, sequence, hash, name, source, before, after)
             WHERE a.id = s.id AND a.organization_id = $1 AND a.sequence IS NULL",
            &[&organization, &ids, &sequences, &hashes, &names, &sources, &befores, &afters],
        )
        .await?;
    Ok(usize::try_from(written).is_ok_and(|written| written == sealed.len()))
}

async fn sign(txn: &Txn<'_>, checkpoint: &Checkpoint, key: i32) -> Result<(), StoreError> {
    txn.execute(
        "INSERT INTO audit_checkpoint (organization_id, sequence, incarnation, hash, signed_at, key_number, signature)
         VALUES ($1, $2, $3, $4, timestamptz 'epoch' + $5::bigint * interval '1 microsecond', $6, $7)",
        &[
            &checkpoint.organization,
            &signed(checkpoint.sequence),
            &signed(checkpoint.incarnation),
            &checkpoint.hash.as_slice(),
            &checkpoint.at_us,
            &key,
            &checkpoint.signature,
        ],
    )
    .await?;
    txn.execute(
        "UPDATE audit_chain SET checkpoint_sequence = $2, checkpoint_at = now() WHERE organization_id = $1",
        &[&checkpoint.organization, &signed(checkpoint.sequence)],
    )
    .await?;
    Ok(())
}
