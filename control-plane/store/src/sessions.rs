//! The begin and end of devices' sessions, many at a time: a fleet that comes back together is the normal case.

use crate::device_identity::look_in_txn;
use crate::error::StoreError;
use crate::lifecycle::standing_from_row;
use crate::pool::{SystemStore, Txn, column};
use kaliun_domain::device::{ReportSettings, SessionStart, SpoolMark};
use kaliun_types::id::{BootId, DeviceId, OrganizationId, ReplicaId, SessionEpoch};
use kaliun_types::reason::ReasonCode;
use std::collections::HashMap;
use std::time::SystemTime;

/// A device that says hello.
#[derive(Debug, Clone)]
pub struct SessionOpen {
    /// Who, by its certificate.
    pub device: DeviceId,
    /// SHA-256 of the public key that it proved.
    pub key_hash: [u8; 32],
    /// Where it comes from, as the server sees it.
    pub source: String,
    /// Its kernel's boot id.
    pub boot_id: BootId,
    /// Version of its agent.
    pub agent_version: String,
    /// The trust bundle that it holds; 0 for none.
    pub trust_version: i64,
    /// Number of the authority that signed the certificate that it shows.
    pub shown_authority: i32,
    /// That certificate's serial number, as in DER without leading zeros.
    pub certificate_serial: Vec<u8>,
    /// When it runs out.
    pub certificate_expires_at: SystemTime,
    /// Whose the device was when that was made; none in those of older versions.
    pub certificate_organization: Option<OrganizationId>,
    /// The last session that the box remembers; 0 for none.
    pub known_epoch: i64,
    /// The highest incarnation of the cluster that it has seen; 0 for none.
    pub known_incarnation: i64,
}

/// What a hello leads to.
#[derive(Debug, Clone)]
pub enum SessionOpened {
    /// The session has begun.
    Started(OrganizationId, SessionStart),
    /// It may not: a reason code.
    Refused(ReasonCode),
}

/// A session that is over.
#[derive(Debug, Clone)]
pub struct SessionEnd {
    /// Whose.
    pub device: DeviceId,
    /// Which; a newer one stays as it is.
    pub epoch: SessionEpoch,
    /// Why.
    pub reason: ReasonCode,
}

impl SystemStore {
    /// Begins sessions: each gets the next epoch, which fences all before it. No device may stand in `opens` twice.
    /// The answers are in the order of `opens`.
    ///
    /// # Errors
    /// The database failed; then none has begun.
    pub async fn sessions_open(
        &self,
        replica: ReplicaId,
        opens: &[SessionOpen],
    ) -> Result<Vec<SessionOpened>, StoreError> {
        const OPERATION: &str = "sessions_open";
        const TABLE: &str = "device_status";
        let devices: Vec<DeviceId> = opens.iter().map(|open| open.device).collect();
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Rows are locked in the order of their ids, here and in ingest, so that two batches never wait for each other.
        txn.rows(
            "SELECT device_id FROM device_status WHERE device_id = ANY($1) ORDER BY device_id FOR UPDATE",
            &[&devices],
        )
        .await?;
        let looked = look_in_txn(&txn, opens).await?;
        let admitted: Vec<&SessionOpen> =
            opens.iter().filter(|open| !looked.refusals.contains_key(&open.device)).collect();
        let let_in: Vec<DeviceId> = admitted.iter().map(|open| open.device).collect();
        let boots: Vec<BootId> = admitted.iter().map(|open| open.boot_id).collect();
        let versions: Vec<&str> = admitted.iter().map(|open| open.agent_version.as_str()).collect();
        let trust: Vec<i64> = admitted.iter().map(|open| open.trust_version).collect();
        let shown: Vec<i32> = admitted.iter().map(|open| open.shown_authority).collect();
        let known: Vec<i64> = admitted.iter().map(|open| open.known_epoch).collect();
        txn.execute(
            "WITH request AS (
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $6::bigint[], $7::integer[], $8::bigint[])
                     AS r (device_id, boot_id, agent_version, trust_version, shown_authority, known_epoch)
             ), opened AS (
                 UPDATE device_status s SET session_epoch = greatest(s.session_epoch, r.known_epoch) + 1, replica_id = $4,
                     link_since = CASE WHEN s.online THEN s.link_since ELSE now() END,
                     online = true, link_reason = $5, boot_id = r.boot_id, agent_version = r.agent_version,
                     trust_version = r.trust_version, shown_authority = r.shown_authority
                 FROM request r JOIN device d ON d.id = r.device_id AND d.deleted_at IS NULL AND d.revoked_at IS NULL
                 WHERE s.device_id = r.device_id
                 RETURNING s.organization_id, s.device_id
             )
             INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             SELECT organization_id, device_id, $5, 'The box connected.', 'control-plane', now() FROM opened",
            &[&let_in, &boots, &versions, &replica, &ReasonCode::LinkConnected.code(), &trust, &shown, &known],
        )
        .await?;
        looked.note_in_txn(&txn).await?;
        // A statement of its own: it sees what an older session of the device stored before we had the lock.
        let rows = txn
            .rows(
                "SELECT d.id AS device_id, d.organization_id, d.deleted_at IS NOT NULL AS deleted,
                        d.revoked_at IS NOT NULL AS revoked, d.decommissioned_at IS NOT NULL AS decommissioned, d.wipe_identity,
                        s.session_epoch,
                        s.sample_spool_id, s.sample_sequence, s.event_spool_id, s.event_sequence, f.facts_hash,
                        r.generation, r.document
                 FROM device d
                 JOIN device_status s ON s.device_id = d.id
                 LEFT JOIN device_facts f ON f.device_id = d.id
                 LEFT JOIN report_settings r ON r.organization_id = d.organization_id
                 WHERE d.id = ANY($1)",
                &[&let_in],
            )
            .await?;
        let mut opened = HashMap::with_capacity(rows.len());
        let mut over = Vec::new();
        for row in &rows {
            let device: DeviceId = column(row, TABLE, "device_id")?;
            let answer = match standing_from_row(row)?.refusal() {
                // Its right ended since we looked, and nobody will hold the session that has begun.
                Some(reason) => {
                    let epoch = SessionEpoch(column(row, TABLE, "session_epoch")?);
                    over.push(SessionEnd { device, epoch, reason });
                    SessionOpened::Refused(reason)
                }
                None => {
                    let parked = looked.parked.contains(&device);
                    SessionOpened::Started(column(row, TABLE, "organization_id")?, start_from_row(row, parked)?)
                }
            };
            opened.insert(device, answer);
        }
        if !over.is_empty() {
            close_in_txn(&txn, &over).await?;
        }
        txn.commit().await?;
        Ok(opens
            .iter()
            .map(|open| {
                let refusal = looked.refusals.get(&open.device).copied().unwrap_or(ReasonCode::PeerDeviceUnknown);
                opened.remove(&open.device).unwrap_or(SessionOpened::Refused(refusal))
            })
            .collect())
    }

    /// Ends sessions, those that are still the newest of their device. Answers which ended.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sessions_close(&self, ends: &[SessionEnd]) -> Result<Vec<(OrganizationId, DeviceId)>, StoreError> {
        const OPERATION: &str = "sessions_close";
        let devices: Vec<DeviceId> = ends.iter().map(|end| end.device).collect();
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.rows(
            "SELECT device_id FROM device_status WHERE device_id = ANY($1) ORDER BY device_id FOR UPDATE",
            &[&devices],
        )
        .await?;
        let rows = close_in_txn(&txn, ends).await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok((column(row, "device_status", "organization_id")?, column(row, "device_status", "device_id")?))
            })
            .collect()
    }

    /// Those of some sessions that are no longer the newest of their device, or whose device may not connect any more, and why it may
    /// not.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sessions_fenced(
        &self,
        held: &[(DeviceId, SessionEpoch)],
    ) -> Result<Vec<(DeviceId, Option<ReasonCode>)>, StoreError> {
        const OPERATION: &str = "sessions_fenced";
        let devices: Vec<DeviceId> = held.iter().map(|(device, _epoch)| *device).collect();
        let epochs: Vec<i64> = held.iter().map(|(_device, epoch)| epoch.0).collect();
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT h.device_id, d.deleted_at IS NOT NULL AS deleted, d.revoked_at IS NOT NULL AS revoked,
                        d.decommissioned_at IS NOT NULL AS decommissioned, coalesce(d.wipe_identity, false) AS wipe_identity
                 FROM unnest($1::uuid[], $2::bigint[]) AS h (device_id, session_epoch)
                 LEFT JOIN device d ON d.id = h.device_id
                 LEFT JOIN device_status s ON s.device_id = h.device_id AND s.session_epoch = h.session_epoch AND s.online
                 WHERE d.id IS NULL OR s.device_id IS NULL OR d.deleted_at IS NOT NULL OR d.revoked_at IS NOT NULL",
                &[&devices, &epochs],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| Ok((column(row, "device_status", "device_id")?, standing_from_row(row)?.refusal())))
            .collect()
    }
}

/// Ends sessions whose devices' status is locked, those that are still the newest of their device, and notes why.
async fn close_in_txn(txn: &Txn<'_>, ends: &[SessionEnd]) -> Result<Vec<tokio_postgres::Row>, StoreError> {
    let devices: Vec<DeviceId> = ends.iter().map(|end| end.device).collect();
    let epochs: Vec<i64> = ends.iter().map(|end| end.epoch.0).collect();
    let reasons: Vec<&str> = ends.iter().map(|end| end.reason.code()).collect();
    let messages: Vec<&str> = ends.iter().map(|end| end_message(end.reason)).collect();
    txn.rows(
        "WITH request AS (
             SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[])
                 AS r (device_id, session_epoch, reason, message)
         ), ended AS (
             UPDATE device_status s SET online = false, replica_id = NULL, link_since = now(), link_reason = r.reason
             FROM request r
             WHERE s.device_id = r.device_id AND s.session_epoch = r.session_epoch AND s.online
             RETURNING s.organization_id, s.device_id, r.reason, r.message
         ), noted AS (
             INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             SELECT organization_id, device_id, reason, message, 'control-plane', now() FROM ended
         )
         SELECT organization_id, device_id FROM ended",
        &[&devices, &epochs, &reasons, &messages],
    )
    .await
}

/// What the event of an end says.
#[expect(clippy::wildcard_enum_match_arm, reason = "sessions end with no other reasons")]
fn end_message(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::LinkClosed => "The box ended the connection.",
        ReasonCode::LinkTimeout => "Nothing was heard from the box for the agreed time.",
        ReasonCode::LinkServerStopped => "The control plane was stopped.",
        ReasonCode::LinkProtocolError => "The box broke the protocol.",
        ReasonCode::LinkDecided => "Somebody chose which box goes on under this identity.",
        ReasonCode::LinkSlow => "The box did not read fast enough.",
        ReasonCode::PeerExpired => "The box's certificate ran out.",
        ReasonCode::LinkSuperseded => "A newer connection of the box took over.",
        ReasonCode::LinkFenced => "The session was no longer the newest one of its box.",
        ReasonCode::PeerUnknownIssuer => {
            "The box's certificate is from an authority that is not believed any more; it gets another one by itself."
        }
        ReasonCode::PeerDeviceDeleted => "The device was deleted.",
        ReasonCode::PeerDeviceRevoked => "The device was revoked.",
        ReasonCode::PeerDeviceDecommissioned => "The device was taken out of service.",
        ReasonCode::PeerIdentityWipe => "The device was taken out of service, and told to delete its identity.",
        _ => "The connection broke.",
    }
}

fn start_from_row(row: &tokio_postgres::Row, parked: bool) -> Result<SessionStart, StoreError> {
    const TABLE: &str = "device_status";
    let sample_spool: Option<Vec<u8>> = column(row, TABLE, "sample_spool_id")?;
    let event_spool: Option<Vec<u8>> = column(row, TABLE, "event_spool_id")?;
    let sample_sequence: i64 = column(row, TABLE, "sample_sequence")?;
    let event_sequence: i64 = column(row, TABLE, "event_sequence")?;
    let generation: Option<i64> = column(row, "report_settings", "generation")?;
    let document: Option<Vec<u8>> = column(row, "report_settings", "document")?;
    Ok(SessionStart {
        parked,
        epoch: SessionEpoch(column(row, TABLE, "session_epoch")?),
        samples: sample_spool.map(|spool_id| SpoolMark { spool_id, sequence: sample_sequence }),
        events: event_spool.map(|spool_id| SpoolMark { spool_id, sequence: event_sequence }),
        facts_hash: column(row, "device_facts", "facts_hash")?,
        settings: generation.zip(document).map(|(generation, document)| ReportSettings { generation, document }),
    })
}
