//! What is watched about what devices are known by: the boots that come with an identity, and who is refused.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn, event_insert_in_txn};
use crate::error::StoreError;
use crate::lifecycle::standing_from_row;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::returned_devices::{ahead_note_in_txn, is_ahead, returned_note_in_txn};
use crate::scope::OrganizationScope;
use crate::sessions::SessionOpen;
use crate::shown_certificates::{ShownChange, numbers_in_txn, shown_note_in_txn};
use kaliun_domain::clone::{Boot, BootHistory, Sight, is_two};
use kaliun_types::id::{BootId, DeviceId, OrganizationId};
use kaliun_types::reason::ReasonCode;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use tokio_postgres::Row;

const TABLE: &str = "device_identity";

/// What a hello comes to, as far as the identity goes.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Why it may not have a session.
    pub(crate) refusals: HashMap<DeviceId, ReasonCode>,
    /// Devices that are parked now.
    pub(crate) parked: Vec<DeviceId>,
    changes: Vec<Change>,
    shown: Vec<ShownChange>,
    refused: Vec<(OrganizationId, DeviceId, ReasonCode)>,
    reused: Vec<KeyReuse>,
    /// Devices that this database does not know.
    returned: Vec<SessionOpen>,
    /// Devices that remember what this database does not.
    ahead: Vec<SessionOpen>,
}

/// A device whose boots are others than before.
#[derive(Debug)]
struct Change {
    organization: OrganizationId,
    device: DeviceId,
    boots: Value,
    /// What the event says of a device that is parked from now on.
    newly_parked: Option<String>,
}

/// A key that came under another identity than its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReuse {
    /// SHA-256 of the public key.
    pub key_hash: Vec<u8>,
    /// Whom the certificate named, if it was one of ours.
    pub device: Option<DeviceId>,
    /// Where it came from last.
    pub source: String,
    /// How often it came.
    pub count: i64,
}

/// What came of a choice between two boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootKept {
    /// The boot goes on, the others are refused.
    Yes,
    /// There is no such device.
    NoSuchDevice,
    /// That boot never came with its identity, or too long ago.
    NoSuchBoot,
}

fn ms(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn boots_to_json(history: &BootHistory) -> Value {
    let boot = |boot: &Boot| {
        json!({
            "id": boot.id.to_string(),
            "source": boot.source,
            "last_at_ms": ms(boot.last_at),
            "returned_at_ms": boot.returned_at.iter().map(|at| ms(*at)).collect::<Vec<_>>(),
            "is_refused": boot.is_refused,
        })
    };
    history.boots().iter().map(boot).collect()
}

/// None for what another version wrote and this one does not know.
fn boots_from_json(value: &Value) -> Option<BootHistory> {
    let at = |value: &Value| Some(SystemTime::UNIX_EPOCH + Duration::from_millis(value.as_u64()?));
    let boot = |value: &Value| {
        Some(Boot {
            id: value.get("id")?.as_str()?.parse().ok()?,
            source: value.get("source")?.as_str()?.to_owned(),
            last_at: at(value.get("last_at_ms")?)?,
            returned_at: value.get("returned_at_ms")?.as_array()?.iter().map(at).collect::<Option<_>>()?,
            is_refused: value.get("is_refused")?.as_bool()?,
        })
    };
    let boots = value.as_array()?.iter().map(boot).collect::<Option<Vec<_>>>()?;
    Some(BootHistory::from_boots(boots))
}

/// The boots of a row with the column `boots`. What cannot be read counts as none: devices are looked at many at once, and one row
/// must not keep the others out, nor its own box. Two boxes that use one identity are noticed again.
pub(crate) fn history_from_row(row: &Row, device: DeviceId) -> Result<BootHistory, StoreError> {
    Ok(boots_from_json(&column(row, TABLE, "boots")?).unwrap_or_else(|| {
        tracing::warn!(device.id = %device, "the boots of a device cannot be read and count as none");
        BootHistory::default()
    }))
}

/// Looks at hellos whose devices' status is locked: who may have a session, and whose identity comes from two boxes.
pub(crate) async fn look_in_txn(txn: &Txn<'_>, opens: &[SessionOpen]) -> Result<Looked, StoreError> {
    let devices: Vec<DeviceId> = opens.iter().map(|open| open.device).collect();
    // Locked, for somebody may choose between two boxes meanwhile.
    let boots = txn
        .rows(
            "SELECT device_id, boots, parked_at IS NOT NULL AS parked, shown_serial, shown_certificate, newest_certificate
             FROM device_identity WHERE device_id = ANY($1) ORDER BY device_id FOR UPDATE",
            &[&devices],
        )
        .await?;
    // By the database's clock, which is one for all replicas.
    let rows = txn
        .rows(
            "SELECT d.id AS device_id, d.organization_id, d.deleted_at IS NOT NULL AS deleted, d.revoked_at IS NOT NULL AS revoked,
                    d.decommissioned_at IS NOT NULL AS decommissioned, d.wipe_identity, d.key_hash, d.certificate_expires_at,
                    coalesce(s.session_epoch, 0) AS session_epoch, c.incarnation, clock_timestamp() AS now
             FROM cluster c CROSS JOIN device d LEFT JOIN device_status s ON s.device_id = d.id WHERE d.id = ANY($1)",
            &[&devices],
        )
        .await?;
    let (boots, rows) = (by_device(&boots)?, by_device(&rows)?);
    let numbers = numbers_in_txn(txn, opens, &boots).await?;
    let mut looked = Looked::default();
    for open in opens {
        match rows.get(&open.device) {
            Some(row) => {
                looked.look_at(open, row, boots.get(&open.device).copied(), numbers.get(&open.device).copied())?
            }
            None => {
                looked.refusals.insert(open.device, ReasonCode::PeerUnknownAfterRestore);
                looked.returned.push(open.clone());
                // Its key may be another device's, which was enrolled with it since.
                looked.reused.push(KeyReuse::of(open));
            }
        }
    }
    Ok(looked)
}

fn by_device(rows: &[Row]) -> Result<HashMap<DeviceId, &Row>, StoreError> {
    rows.iter().map(|row| Ok((column(row, TABLE, "device_id")?, row))).collect()
}

impl KeyReuse {
    fn of(open: &SessionOpen) -> Self {
        let (key_hash, device, source) = (open.key_hash.to_vec(), Some(open.device), open.source.clone());
        Self { key_hash, device, source, count: 1 }
    }
}

impl Looked {
    /// Looks at one hello, by its device's row, what is known of its identity, and the number of its certificate if that is another one
    /// than last time and known.
    fn look_at(
        &mut self,
        open: &SessionOpen,
        row: &Row,
        identity: Option<&Row>,
        certificate: Option<i64>,
    ) -> Result<(), StoreError> {
        let device = open.device;
        let organization: OrganizationId = column(row, "device", "organization_id")?;
        let standing = standing_from_row(row)?;
        if let Some(reason) = standing.refusal() {
            self.refusals.insert(device, reason);
            self.refused.push((organization, device, reason));
            if standing.deleted {
                // The key may be another device's by now.
                self.reused.push(KeyReuse::of(open));
            }
            return Ok(());
        }
        if column::<&[u8]>(row, "device", "key_hash")? != open.key_hash {
            self.refusals.insert(device, ReasonCode::PeerKeyMismatch);
            self.reused.push(KeyReuse::of(open));
            return Ok(());
        }
        let parked: bool = identity.map_or(Ok(false), |row| column(row, TABLE, "parked"))?;
        let mut history = identity.map_or_else(|| Ok(BootHistory::default()), |row| history_from_row(row, device))?;
        let sight = history.observe(open.boot_id, &open.source, column(row, TABLE, "now")?);
        if sight == Sight::Refused {
            self.refusals.insert(device, ReasonCode::PeerBootNotKept);
            self.refused.push((organization, device, ReasonCode::PeerBootNotKept));
            return Ok(());
        }
        let certificate = certificate.map(|number| ShownChange::observe(open, organization, number, identity));
        let (certificate, change) = certificate.transpose()?.unzip();
        self.shown.extend(change);
        let newly_parked = (is_two(sight, certificate) && !parked).then(|| clone_message(&history));
        if sight != Sight::Same || newly_parked.is_some() {
            let boots = boots_to_json(&history);
            self.changes.push(Change { organization, device, boots, newly_parked: newly_parked.clone() });
        }
        if parked || newly_parked.is_some() {
            self.parked.push(device);
        }
        if is_ahead(open, row)? {
            self.ahead.push(open.clone());
        }
        Ok(())
    }

    /// Keeps what was seen, in the transaction that looked.
    pub(crate) async fn note_in_txn(&self, txn: &Txn<'_>) -> Result<(), StoreError> {
        self.note_boots(txn).await?;
        shown_note_in_txn(txn, &self.shown).await?;
        refusals_note_in_txn(txn, &self.refused).await?;
        returned_note_in_txn(txn, &self.returned).await?;
        ahead_note_in_txn(txn, &self.ahead).await?;
        key_reuses_note_in_txn(txn, &self.reused).await
    }

    async fn note_boots(&self, txn: &Txn<'_>) -> Result<(), StoreError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let devices: Vec<DeviceId> = self.changes.iter().map(|change| change.device).collect();
        let organizations: Vec<OrganizationId> = self.changes.iter().map(|change| change.organization).collect();
        let boots: Vec<&Value> = self.changes.iter().map(|change| &change.boots).collect();
        let messages: Vec<Option<&str>> = self.changes.iter().map(|change| change.newly_parked.as_deref()).collect();
        txn.execute(
            "WITH change AS (
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::text[])
                     AS c (device_id, organization_id, boots, parked_message)
             ), noted AS (
                 INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
                 SELECT organization_id, device_id, $5, parked_message, 'control-plane', now() FROM change
                 WHERE parked_message IS NOT NULL
             )
             INSERT INTO device_identity (device_id, organization_id, boots, parked_at)
             SELECT device_id, organization_id, boots, CASE WHEN parked_message IS NOT NULL THEN now() END FROM change
             ON CONFLICT (device_id) DO UPDATE SET boots = EXCLUDED.boots,
                 parked_at = coalesce(device_identity.parked_at, EXCLUDED.parked_at)",
            &[&devices, &organizations, &boots, &messages, &ReasonCode::DeviceCloneSuspected.code()],
        )
        .await?;
        Ok(())
    }
}

/// Counts that devices came that may not.
async fn refusals_note_in_txn(
    txn: &Txn<'_>,
    refused: &[(OrganizationId, DeviceId, ReasonCode)],
) -> Result<(), StoreError> {
    if refused.is_empty() {
        return Ok(());
    }
    let organizations: Vec<OrganizationId> = refused.iter().map(|(organization, ..)| *organization).collect();
    let devices: Vec<DeviceId> = refused.iter().map(|(_, device, _)| *device).collect();
    let reasons: Vec<&str> = refused.iter().map(|(.., reason)| reason.code()).collect();
    txn.execute(
        "INSERT INTO device_identity AS k (device_id, organization_id, refused_count, refused_since, refused_at, refused_reason)
         SELECT device_id, organization_id, 1, now(), now(), reason
         FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS r (device_id, organization_id, reason)
         ON CONFLICT (device_id) DO UPDATE SET refused_at = now(), refused_reason = EXCLUDED.refused_reason,
             refused_count = CASE WHEN k.refused_reason = EXCLUDED.refused_reason THEN k.refused_count ELSE 0 END + 1,
             refused_since = CASE WHEN k.refused_reason = EXCLUDED.refused_reason THEN k.refused_since ELSE now() END",
        &[&devices, &organizations, &reasons],
    )
    .await?;
    Ok(())
}

/// Counts that keys came under other identities, for the device that the key belongs to and for the one that was named. Writes an
/// event the first time in a day.
async fn key_reuses_note_in_txn(txn: &Txn<'_>, reused: &[KeyReuse]) -> Result<(), StoreError> {
    if reused.is_empty() {
        return Ok(());
    }
    let keys: Vec<&[u8]> = reused.iter().map(|reuse| reuse.key_hash.as_slice()).collect();
    let named: Vec<Option<DeviceId>> = reused.iter().map(|reuse| reuse.device).collect();
    let sources: Vec<&str> = reused.iter().map(|reuse| reuse.source.as_str()).collect();
    let counts: Vec<i64> = reused.iter().map(|reuse| reuse.count).collect();
    txn.execute(
        "WITH reuse AS (
             SELECT d.id AS device_id, d.organization_id, sum(r.n)::bigint AS n, max(r.source) AS source
             FROM unnest($1::bytea[], $2::uuid[], $3::text[], $4::bigint[]) AS r (key_hash, named, source, n)
             JOIN device d ON d.deleted_at IS NULL AND (d.key_hash = r.key_hash OR d.id = r.named)
             GROUP BY d.id, d.organization_id
         ), noted AS (
             INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             SELECT r.organization_id, r.device_id, $5, 'The key of this device came under another identity, or its name with another key.',
                    'control-plane', now()
             FROM reuse r
             WHERE NOT EXISTS (SELECT FROM device_identity k WHERE k.device_id = r.device_id AND k.key_reused_at > now() - interval '1 day')
         )
         INSERT INTO device_identity AS k
             (device_id, organization_id, key_reused_count, key_reused_since, key_reused_at, key_reused_source)
         SELECT device_id, organization_id, n, now(), now(), source FROM reuse ORDER BY device_id
         ON CONFLICT (device_id) DO UPDATE SET key_reused_count = k.key_reused_count + EXCLUDED.key_reused_count,
             key_reused_since = coalesce(k.key_reused_since, now()), key_reused_at = now(),
             key_reused_source = EXCLUDED.key_reused_source",
        &[&keys, &named, &sources, &counts, &ReasonCode::DeviceKeyReused.code()],
    )
    .await?;
    Ok(())
}

fn clone_message(history: &BootHistory) -> String {
    let rivals: Vec<String> =
        history.rivals().iter().map(|boot| format!("boot {} from {}", boot.id, boot.source)).collect();
    format!("Two boxes use this identity: {}.", rivals.join(" and "))
}

impl SystemStore {
    /// Counts that a device came that may not.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn refusal_note(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        reason: ReasonCode,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "refusal_note";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        refusals_note_in_txn(&txn, &[(organization, device, reason)]).await?;
        txn.commit().await
    }

    /// Notes that keys came under other identities.
    ///
    /// # Errors
    /// The database failed.
    pub async fn key_reuses_note(&self, reused: &[KeyReuse]) -> Result<(), StoreError> {
        const OPERATION: &str = "key_reuses_note";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        key_reuses_note_in_txn(&txn, reused).await?;
        txn.commit().await
    }
}

impl AppStore {
    /// Lets one of the boxes that use an identity go on: all other boots that are known are refused, and what was seen of its key and its
    /// certificates counts as looked at. Harmless to repeat.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_keep_boot(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        device: DeviceId,
        kept: BootId,
    ) -> Result<BootKept, StoreError> {
        const OPERATION: &str = "device_keep_boot";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let organization = scope.organization();
        let live = "SELECT id FROM device
            WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR installation_id = ANY($3)) AND deleted_at IS NULL";
        if txn.row_opt(live, &[&device, &organization, &scope.homes()]).await?.is_none() {
            return Ok(BootKept::NoSuchDevice);
        }
        // A hello that comes meanwhile waits for this row.
        let row = txn
            .row_opt(
                "SELECT boots FROM device_identity WHERE device_id = $1 AND organization_id = $2 FOR UPDATE",
                &[&device, &organization],
            )
            .await?;
        let Some(row) = row else { return Ok(BootKept::NoSuchBoot) };
        let mut history = history_from_row(&row, device)?;
        if !history.keep(kept) {
            return Ok(BootKept::NoSuchBoot);
        }
        txn.execute(
            "UPDATE device_identity SET boots = $3, parked_at = NULL, shown_serial = NULL, shown_certificate = NULL,
                 newest_certificate = NULL, outdated_count = 0, outdated_since = NULL, outdated_at = NULL, outdated_source = NULL,
                 key_reused_count = 0, key_reused_since = NULL, key_reused_at = NULL, key_reused_source = NULL
             WHERE device_id = $1 AND organization_id = $2",
            &[&device, &organization, &boots_to_json(&history)],
        )
        .await?;
        let entry = AuditEntry {
            action: "device.readopt",
            target: format!("device/{device}"),
            before: None,
            after: Some(json!({ "kept_boot": kept.to_string() })),
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        let message = format!("Boot {kept} goes on under this identity; the others that were seen are refused.");
        event_insert_in_txn(&txn, scope, actor, device, ReasonCode::DeviceReadopted, &message).await?;
        txn.commit().await?;
        Ok(BootKept::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in databases: it is read for ever.
    const BOOTS_V1: &str = include_str!("device_identity/boots_v1.json");

    fn history() -> BootHistory {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let boot = |id: &str, source: &str, last_at, returned_at, is_refused| Boot {
            id: id.parse().unwrap(),
            source: source.to_owned(),
            last_at,
            returned_at,
            is_refused,
        };
        BootHistory::from_boots(vec![
            boot("11111111-1111-4111-8111-111111111111", "192.0.2.7", at(1_900_000_000), vec![], true),
            boot(
                "22222222-2222-4222-8222-222222222222",
                "2001:db8::7",
                at(1_900_000_060),
                vec![at(1_900_000_030)],
                false,
            ),
        ])
    }

    #[test]
    fn boots_of_every_version_read_back() {
        let kept: Value = serde_json::from_str(BOOTS_V1).unwrap();
        assert_eq!(boots_to_json(&history()), kept);
        assert_eq!(boots_from_json(&kept), Some(history()));
        assert_eq!(boots_from_json(&json!([])), Some(BootHistory::default()), "of a device that never came");
    }

    #[test]
    fn what_is_not_known_is_told_apart_from_nothing() {
        for unknown in [json!({}), json!([{}]), json!([1]), json!([{ "id": "x" }])] {
            assert_eq!(boots_from_json(&unknown), None, "{unknown}");
        }
    }
}
