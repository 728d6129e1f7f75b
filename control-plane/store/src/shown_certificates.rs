//! Which of its certificates each device showed last, and what is known by that. Most hellos bring the one of last time, for which
//! nothing is read and nothing written.

use crate::error::StoreError;
use crate::pool::{Txn, column};
use crate::sessions::SessionOpen;
use kaliun_domain::certificate_order::{CertificateSight, ShownCertificates};
use kaliun_types::id::{DeviceId, OrganizationId};
use kaliun_types::reason::ReasonCode;
use std::collections::HashMap;
use tokio_postgres::Row;

const TABLE: &str = "device_identity";

/// A device that showed another certificate than last time.
#[derive(Debug)]
pub(crate) struct ShownChange {
    organization: OrganizationId,
    device: DeviceId,
    serial: Vec<u8>,
    shown: ShownCertificates,
    /// Where it came from, if another one had taken its place.
    outdated_source: Option<String>,
}

/// The numbers of the certificates that come and did not come last time, by device. There is none for those that are not known: from
/// before their serial numbers were kept, or lost with a database that came back from a backup. Nothing is told by these.
pub(crate) async fn numbers_in_txn(
    txn: &Txn<'_>,
    opens: &[SessionOpen],
    identities: &HashMap<DeviceId, &Row>,
) -> Result<HashMap<DeviceId, i64>, StoreError> {
    let (mut devices, mut serials) = (Vec::new(), Vec::new());
    for open in opens {
        let shown: Option<&[u8]> =
            identities.get(&open.device).map_or(Ok(None), |row| column(row, TABLE, "shown_serial"))?;
        if shown != Some(open.certificate_serial.as_slice()) {
            devices.push(open.device);
            serials.push(open.certificate_serial.as_slice());
        }
    }
    if devices.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = txn
        .rows(
            "SELECT c.device_id, c.id FROM unnest($1::uuid[], $2::bytea[]) AS o (device_id, serial)
             JOIN device_certificate c ON c.device_id = o.device_id AND c.serial = o.serial",
            &[&devices, &serials],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((column(row, "device_certificate", "device_id")?, column(row, "device_certificate", "id")?)))
        .collect()
}

impl ShownChange {
    /// What a certificate with this number tells, and what is to be kept of it. The row is the device's, where it has one.
    pub(crate) fn observe(
        open: &SessionOpen,
        organization: OrganizationId,
        number: i64,
        identity: Option<&Row>,
    ) -> Result<(CertificateSight, Self), StoreError> {
        let before = identity.map_or(Ok(None), shown_from_row)?;
        let (sight, shown) = match before {
            Some(mut shown) => (shown.observe(number), shown),
            None => (CertificateSight::Next, ShownCertificates::first(number)),
        };
        let is_outdated = matches!(sight, CertificateSight::Outdated | CertificateSight::Returned);
        let outdated_source = is_outdated.then(|| open.source.clone());
        let serial = open.certificate_serial.clone();
        Ok((sight, Self { organization, device: open.device, serial, shown, outdated_source }))
    }
}

fn shown_from_row(row: &Row) -> Result<Option<ShownCertificates>, StoreError> {
    let newest: Option<i64> = column(row, TABLE, "newest_certificate")?;
    let last: Option<i64> = column(row, TABLE, "shown_certificate")?;
    Ok(newest.zip(last).map(|(newest, last)| ShownCertificates::from_parts(newest, last)))
}

/// Keeps what came. Writes an event the first time in a day that one was outdated.
pub(crate) async fn shown_note_in_txn(txn: &Txn<'_>, changes: &[ShownChange]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let organizations: Vec<OrganizationId> = changes.iter().map(|change| change.organization).collect();
    let devices: Vec<DeviceId> = changes.iter().map(|change| change.device).collect();
    let serials: Vec<&[u8]> = changes.iter().map(|change| change.serial.as_slice()).collect();
    let newest: Vec<i64> = changes.iter().map(|change| change.shown.newest()).collect();
    let last: Vec<i64> = changes.iter().map(|change| change.shown.last()).collect();
    let outdated: Vec<Option<&str>> = changes.iter().map(|change| change.outdated_source.as_deref()).collect();
    txn.execute(
        "WITH change AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bigint[], $5::bigint[], $6::text[])
                 AS c (organization_id, device_id, serial, newest, last, source)
         ), noted AS (
             INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             SELECT c.organization_id, c.device_id, $7,
                    'A certificate came whose place another one had taken: from a copy of the box, or its disk was set back.',
                    'control-plane', now()
             FROM change c
             WHERE c.source IS NOT NULL AND NOT EXISTS (
                 SELECT FROM device_identity k WHERE k.device_id = c.device_id AND k.outdated_at > now() - interval '1 day')
         )
         INSERT INTO device_identity AS k (device_id, organization_id, shown_serial, shown_certificate, newest_certificate,
             outdated_count, outdated_since, outdated_at, outdated_source)
         SELECT device_id, organization_id, serial, last, newest, CASE WHEN source IS NULL THEN 0 ELSE 1 END,
                CASE WHEN source IS NOT NULL THEN now() END, CASE WHEN source IS NOT NULL THEN now() END, source
         FROM change ORDER BY device_id
         ON CONFLICT (device_id) DO UPDATE SET shown_serial = EXCLUDED.shown_serial,
             shown_certificate = EXCLUDED.shown_certificate, newest_certificate = EXCLUDED.newest_certificate,
             outdated_count = k.outdated_count + EXCLUDED.outdated_count,
             outdated_since = coalesce(k.outdated_since, EXCLUDED.outdated_since),
             outdated_at = coalesce(EXCLUDED.outdated_at, k.outdated_at),
             outdated_source = coalesce(EXCLUDED.outdated_source, k.outdated_source)",
        &[
            &organizations,
            &devices,
            &serials,
            &newest,
            &last,
            &outdated,
            &ReasonCode::DeviceCertificateOutdated.code(),
        ],
    )
    .await?;
    Ok(())
}
