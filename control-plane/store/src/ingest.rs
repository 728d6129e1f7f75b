//! What devices send, many devices at a time.
//!
//! Each write names the session's epoch in its own statement, and moves the device's mark in its spool in the same one:
//! a fenced session writes nothing, and a batch that was stored before is not stored again.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_types::id::{DeviceId, OrganizationId, SessionEpoch};
use std::collections::HashMap;
use std::time::SystemTime;

/// A batch of samples of one device.
#[derive(Debug, Clone)]
pub struct SampleWrite {
    /// Whose, by its certificate.
    pub device: DeviceId,
    /// In which session.
    pub epoch: SessionEpoch,
    /// The life of the spool they come from.
    pub spool_id: Vec<u8>,
    /// Sequence of the first; the others follow without gaps.
    pub first_sequence: i64,
    /// In order, at least one.
    pub items: Vec<SampleItem>,
}

/// One sample.
#[derive(Debug, Clone)]
pub struct SampleItem {
    /// By the box's clock.
    pub sampled_at: SystemTime,
    /// An encoded `kaliun.telemetry.v1.SampleValues`.
    pub values: Vec<u8>,
    /// What the box concluded: 1 ok, 2 degraded, 3 critical.
    pub verdict: i16,
    /// An encoded `kaliun.telemetry.v1.Health`.
    pub health: Vec<u8>,
}

/// A batch of events of one device.
#[derive(Debug, Clone)]
pub struct EventWrite {
    /// Whose.
    pub device: DeviceId,
    /// In which session.
    pub epoch: SessionEpoch,
    /// The life of the spool they come from.
    pub spool_id: Vec<u8>,
    /// Sequence of the first.
    pub first_sequence: i64,
    /// In order, at least one.
    pub items: Vec<EventItem>,
}

/// One event.
#[derive(Debug, Clone)]
pub struct EventItem {
    /// By the box's clock.
    pub happened_at: SystemTime,
    /// A reason code.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// What a box says of itself.
#[derive(Debug, Clone)]
pub struct FactsWrite {
    /// Whose.
    pub device: DeviceId,
    /// In which session.
    pub epoch: SessionEpoch,
    /// An encoded `kaliun.telemetry.v1.Facts`.
    pub facts: Vec<u8>,
    /// SHA-256 of that.
    pub facts_hash: Vec<u8>,
}

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is in the database of this organization.
    Yes(OrganizationId),
    /// It was there before, or a later one was; nothing was written.
    Before,
    /// The session is no longer the newest of its device; nothing was written.
    Fenced,
}

impl SystemStore {
    /// Stores samples, one batch a device. The answers are in the order of `writes`.
    ///
    /// # Errors
    /// The database failed; then nothing was stored, or the commit's answer was lost: the same batches may be given again.
    pub async fn samples_store(&self, writes: &[SampleWrite]) -> Result<Vec<Stored>, StoreError> {
        const OPERATION: &str = "samples_store";
        let marks = Marks::new(
            writes.iter().map(|w| (w.device, w.epoch, w.spool_id.as_slice(), w.first_sequence, w.items.len())),
        );
        // The newest sample of each batch, for the device's row.
        let newest: Vec<&SampleItem> = writes.iter().filter_map(|write| write.items.last()).collect();
        let sampled_at: Vec<SystemTime> = newest.iter().map(|item| item.sampled_at).collect();
        let values: Vec<&[u8]> = newest.iter().map(|item| item.values.as_slice()).collect();
        let verdicts: Vec<i16> = newest.iter().map(|item| item.verdict).collect();
        let health: Vec<&[u8]> = newest.iter().map(|item| item.health.as_slice()).collect();
        // All samples, each with the number of its batch.
        let mut item_batch: Vec<i32> = Vec::new();
        let mut item_sequence: Vec<i64> = Vec::new();
        let mut item_at: Vec<SystemTime> = Vec::new();
        let mut item_values: Vec<&[u8]> = Vec::new();
        for (batch, write) in (1_i32..).zip(writes) {
            for (sequence, item) in (write.first_sequence..).zip(&write.items) {
                item_batch.push(batch);
                item_sequence.push(sequence);
                item_at.push(item.sampled_at);
                item_values.push(&item.values);
            }
        }
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        marks.lock(&txn).await?;
        let rows = txn
            .rows(
                "WITH batch AS (
                     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[], $6::timestamptz[],
                                          $7::bytea[], $8::smallint[], $9::bytea[])
                         WITH ORDINALITY AS b (device_id, session_epoch, spool_id, first_sequence, last_sequence, sampled_at,
                                               sample_values, verdict, reasons, number)
                 ), accepted AS (
                     UPDATE device_status s SET sample_spool_id = b.spool_id, sample_sequence = b.last_sequence,
                         sampled_at = b.sampled_at, sample_stored_at = now(), sample_values = b.sample_values,
                         verdict = b.verdict, reasons = b.reasons
                     FROM batch b
                     WHERE s.device_id = b.device_id AND s.session_epoch = b.session_epoch
                       AND (s.sample_spool_id IS DISTINCT FROM b.spool_id OR s.sample_sequence < b.first_sequence)
                     RETURNING b.number, s.device_id, s.organization_id, b.spool_id
                 ), stored AS (
                     INSERT INTO sample_head (organization_id, device_id, spool_id, sequence, sampled_at, stored_at, sample_values)
                     SELECT a.organization_id, a.device_id, a.spool_id, i.sequence, i.sampled_at, now(), i.sample_values
                     FROM unnest($10::integer[], $11::bigint[], $12::timestamptz[], $13::bytea[])
                         AS i (number, sequence, sampled_at, sample_values)
                     JOIN accepted a ON a.number = i.number
                 )
                 SELECT number, organization_id FROM accepted",
                &[
                    &marks.devices,
                    &marks.epochs,
                    &marks.spools,
                    &marks.first,
                    &marks.last,
                    &sampled_at,
                    &values,
                    &verdicts,
                    &health,
                    &item_batch,
                    &item_sequence,
                    &item_at,
                    &item_values,
                ],
            )
            .await?;
        let answers = marks.answers(&txn, &rows).await?;
        txn.commit().await?;
        Ok(answers)
    }

    /// Stores events, one batch a device. The answers are in the order of `writes`.
    ///
    /// # Errors
    /// As [`SystemStore::samples_store`].
    pub async fn events_store(&self, writes: &[EventWrite]) -> Result<Vec<Stored>, StoreError> {
        const OPERATION: &str = "events_store";
        let marks = Marks::new(
            writes.iter().map(|w| (w.device, w.epoch, w.spool_id.as_slice(), w.first_sequence, w.items.len())),
        );
        let mut item_batch: Vec<i32> = Vec::new();
        let mut item_at: Vec<SystemTime> = Vec::new();
        let mut item_code: Vec<&str> = Vec::new();
        let mut item_message: Vec<&str> = Vec::new();
        for (batch, write) in (1_i32..).zip(writes) {
            for item in &write.items {
                item_batch.push(batch);
                item_at.push(item.happened_at);
                item_code.push(&item.code);
                item_message.push(&item.message);
            }
        }
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        marks.lock(&txn).await?;
        let rows = txn
            .rows(
                "WITH batch AS (
                     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[])
                         WITH ORDINALITY AS b (device_id, session_epoch, spool_id, first_sequence, last_sequence, number)
                 ), accepted AS (
                     UPDATE device_status s SET event_spool_id = b.spool_id, event_sequence = b.last_sequence
                     FROM batch b
                     WHERE s.device_id = b.device_id AND s.session_epoch = b.session_epoch
                       AND (s.event_spool_id IS DISTINCT FROM b.spool_id OR s.event_sequence < b.first_sequence)
                     RETURNING b.number, s.device_id, s.organization_id
                 ), stored AS (
                     INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
                     SELECT a.organization_id, a.device_id, i.code, i.message, 'device', i.happened_at
                     FROM unnest($6::integer[], $7::timestamptz[], $8::text[], $9::text[])
                         AS i (number, happened_at, code, message)
                     JOIN accepted a ON a.number = i.number
                 )
                 SELECT number, organization_id FROM accepted",
                &[
                    &marks.devices,
                    &marks.epochs,
                    &marks.spools,
                    &marks.first,
                    &marks.last,
                    &item_batch,
                    &item_at,
                    &item_code,
                    &item_message,
                ],
            )
            .await?;
        let answers = marks.answers(&txn, &rows).await?;
        txn.commit().await?;
        Ok(answers)
    }

    /// Stores what boxes say of themselves, one write a device. The answers are in the order of `writes`.
    ///
    /// # Errors
    /// The database failed. Giving the same again is harmless.
    pub async fn facts_store(&self, writes: &[FactsWrite]) -> Result<Vec<Stored>, StoreError> {
        const OPERATION: &str = "facts_store";
        let devices: Vec<DeviceId> = writes.iter().map(|write| write.device).collect();
        let epochs: Vec<i64> = writes.iter().map(|write| write.epoch.0).collect();
        let facts: Vec<&[u8]> = writes.iter().map(|write| write.facts.as_slice()).collect();
        let hashes: Vec<&[u8]> = writes.iter().map(|write| write.facts_hash.as_slice()).collect();
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn
            .rows(
                "WITH live AS (
                     SELECT w.number, s.device_id, s.organization_id, w.facts, w.facts_hash
                     FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[])
                         WITH ORDINALITY AS w (device_id, session_epoch, facts, facts_hash, number)
                     JOIN device_status s ON s.device_id = w.device_id AND s.session_epoch = w.session_epoch
                     ORDER BY s.device_id FOR SHARE OF s
                 ), stored AS (
                     INSERT INTO device_facts (device_id, organization_id, facts, facts_hash, reported_at)
                     SELECT device_id, organization_id, facts, facts_hash, now() FROM live
                     ON CONFLICT (device_id) DO UPDATE SET
                         facts = EXCLUDED.facts, facts_hash = EXCLUDED.facts_hash, reported_at = EXCLUDED.reported_at
                 )
                 SELECT number, organization_id FROM live",
                &[&devices, &epochs, &facts, &hashes],
            )
            .await?;
        txn.commit().await?;
        let stored = organizations(&rows)?;
        Ok((1_i64..)
            .zip(writes)
            .map(|(number, _write)| {
                stored.get(&number).map_or(Stored::Fenced, |organization| Stored::Yes(*organization))
            })
            .collect())
    }
}

/// The organizations of the writes that were accepted, by their number in the batch.
fn organizations(rows: &[tokio_postgres::Row]) -> Result<HashMap<i64, OrganizationId>, StoreError> {
    rows.iter()
        .map(|row| Ok((column(row, "device_status", "number")?, column(row, "device_status", "organization_id")?)))
        .collect()
}

/// Who wrote what, as columns.
struct Marks<'a> {
    devices: Vec<DeviceId>,
    epochs: Vec<i64>,
    spools: Vec<&'a [u8]>,
    first: Vec<i64>,
    last: Vec<i64>,
}

impl<'a> Marks<'a> {
    fn new(writes: impl Iterator<Item = (DeviceId, SessionEpoch, &'a [u8], i64, usize)>) -> Self {
        let mut marks =
            Self { devices: Vec::new(), epochs: Vec::new(), spools: Vec::new(), first: Vec::new(), last: Vec::new() };
        for (device, epoch, spool_id, first, count) in writes {
            marks.devices.push(device);
            marks.epochs.push(epoch.0);
            marks.spools.push(spool_id);
            marks.first.push(first);
            marks.last.push(first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)) - 1);
        }
        marks
    }

    /// Locks the devices' rows in the order of their ids, so that two batches never wait for each other.
    async fn lock(&self, txn: &Txn<'_>) -> Result<(), StoreError> {
        txn.rows(
            "SELECT device_id FROM device_status WHERE device_id = ANY($1) ORDER BY device_id FOR UPDATE",
            &[&self.devices],
        )
        .await?;
        Ok(())
    }

    /// What became of each write, by the rows that were accepted.
    async fn answers(&self, txn: &Txn<'_>, accepted: &[tokio_postgres::Row]) -> Result<Vec<Stored>, StoreError> {
        let accepted = organizations(accepted)?;
        let current: HashMap<DeviceId, i64> = if accepted.len() == self.devices.len() {
            HashMap::new()
        } else {
            txn.rows("SELECT device_id, session_epoch FROM device_status WHERE device_id = ANY($1)", &[&self.devices])
                .await?
                .iter()
                .map(|row| {
                    Ok((column(row, "device_status", "device_id")?, column(row, "device_status", "session_epoch")?))
                })
                .collect::<Result<_, StoreError>>()?
        };
        Ok((1_i64..)
            .zip(self.devices.iter().zip(&self.epochs))
            .map(|(number, (device, epoch))| match accepted.get(&number) {
                Some(organization) => Stored::Yes(*organization),
                None if current.get(device) == Some(epoch) => Stored::Before,
                None => Stored::Fenced,
            })
            .collect())
    }
}
