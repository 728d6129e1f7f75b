//! What a key is worth that was there before.

use crate::support::{BOX_BYTES, Fixture, actor, by_token, claim, grant, hash, new_device};
use anyhow::{Context, Result};
use kaliun_domain::name_pattern::NameParts;
use kaliun_domain::rotation::{Gate, Standing};
use kaliun_store::{Approval, CertificateGrant, ClaimChecked, NewJoinToken, NotApproved};
use kaliun_types::id::DeviceId;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const SECRET: [u8; 32] = [77; 32];

/// A token of the first organization for so many boxes.
async fn token(fixture: &Fixture, max_uses: i32) -> Result<()> {
    let token = NewJoinToken {
        description: "test",
        secret_hash: &SECRET,
        labels: &Default::default(),
        name_pattern: None,
        needs_approval: false,
        max_uses,
        expires_at: SystemTime::now() + Duration::from_secs(60),
    };
    fixture.store.app.join_token_insert(&fixture.first, &actor(), token).await?;
    Ok(())
}

async fn enroll(fixture: &Fixture, key: u8) -> Result<Result<DeviceId, ReasonCode>> {
    let (key, name) = (hash(key), DeviceName::parse("cellar")?);
    let enrolled = by_token(&fixture.store.system, &SECRET, &new_device(&key, &name)).await?;
    Ok(enrolled.map(|enrolled| enrolled.device))
}

async fn wait(fixture: &Fixture, key: u8, code: &str) -> Result<Result<(), ReasonCode>> {
    let (key, name, now) = (hash(key), DeviceName::parse("cellar")?, SystemTime::now());
    let waiting = fixture.store.system.enrollment_wait(&new_device(&key, &name), &claim(code, DAY), now).await?;
    Ok(waiting.map(|_row| ()))
}

async fn approve(fixture: &Fixture, code: &str) -> Result<Result<DeviceId, NotApproved>> {
    let name = DeviceName::parse("cellar")?;
    let approval = Approval {
        installation: None,
        name: None,
        parts: NameParts { hostname: name.as_str(), model: "", serial: "", key_hash: &[] },
        labels: &Default::default(),
        facts_hash: b"hash",
        certificate: grant(),
    };
    let system = &fixture.store.system;
    let Some(found) = system.claim_look_up(&fixture.first, code, &[7; 32]).await? else {
        return Ok(Err(NotApproved::NoSuchCode));
    };
    system.enrollment_reveal(found.enrollment.id, found.enrollment.begun_count, &BOX_BYTES).await?;
    let checked = system.claim_check(&fixture.first, &actor(), code, &|_| true).await?;
    let ClaimChecked::Right(checked) = checked else { anyhow::bail!("{checked:?}") };
    let approved = system.enrollment_approve(&fixture.first, &actor(), code, &checked, approval).await?;
    Ok(approved.map(|(_id, enrolled)| enrolled.device))
}

/// As if its certificate had run out so long ago.
async fn expire(fixture: &Fixture, device: DeviceId, days: i32) -> Result<()> {
    let expire = "UPDATE device SET certificate_expires_at = now() - make_interval(days => $2) WHERE id = $1";
    assert_eq!(fixture.admin.execute(expire, &[&device, &days]).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_key_that_was_revoked_is_refused_for_ever() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 10).await?;
    let device = enroll(&fixture, 10).await?.expect("a new key");
    // A box that waits under its code while the same key is revoked elsewhere.
    assert_eq!(wait(&fixture, 11, "AC3467DX").await?, Ok(()));
    let other = enroll(&fixture, 11).await?.expect("a new key");
    assert_eq!(approve(&fixture, "AC3467DX").await?, Err(NotApproved::NoSuchCode), "it waits no longer");
    // As if it had begun to wait in the same moment.
    let wait_all_the_same = "INSERT INTO enrollment (id, key_hash, claim_code, code_expires_at, facts, source_address, check_commitment)
                             VALUES (gen_random_uuid(), $1, 'AC3467DX', now() + interval '1 hour', '', '::1', sha256($2))";
    fixture.admin.execute(wait_all_the_same, &[&hash(11).as_slice(), &BOX_BYTES.as_slice()]).await?;
    assert_eq!(approve(&fixture, "AC3467DX").await?, Err(NotApproved::KeyRefused(ReasonCode::EnrollmentKeyInUse)));
    for device in [device, other] {
        fixture.store.app.device_revoke(&fixture.first, &actor(), device).await?;
        assert_eq!(fixture.admin.execute("UPDATE device SET deleted_at = now() WHERE id = $1", &[&device]).await?, 1);
    }
    assert_eq!(enroll(&fixture, 10).await?, Err(ReasonCode::PeerDeviceRevoked));
    assert_eq!(wait(&fixture, 10, "CCCCCCCC").await?, Err(ReasonCode::PeerDeviceRevoked));
    assert_eq!(approve(&fixture, "AC3467DX").await?, Err(NotApproved::KeyRefused(ReasonCode::PeerDeviceRevoked)));
    let recovered = fixture.store.system.certificate_recover(&hash(10), grant(), SystemTime::now()).await?;
    assert_eq!(recovered.map(|enrolled| enrolled.device), Err(ReasonCode::PeerDeviceRevoked), "as by the other doors");
    // One that was only deleted may begin again, and so may a new key.
    let deleted = enroll(&fixture, 12).await?.expect("a new key");
    assert_eq!(fixture.admin.execute("UPDATE device SET deleted_at = now() WHERE id = $1", &[&deleted]).await?, 1);
    assert_ne!(enroll(&fixture, 12).await?.expect("begins again"), deleted);
    Ok(())
}

#[tokio::test]
async fn a_token_that_had_its_day_is_no_way_around_the_allowance() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 2).await?;
    let uses = async || -> Result<i32> {
        Ok(fixture.admin.query_one("SELECT uses FROM join_token WHERE secret_hash = $1", &[&&SECRET[..]]).await?.get(0))
    };
    let device = enroll(&fixture, 10).await?.expect("a new key");
    // Within its allowance it gets its certificate again, for nothing.
    expire(&fixture, device, 364).await?;
    assert_eq!((enroll(&fixture, 10).await?, uses().await?), (Ok(device), 1));
    // Beyond it the token has to admit it, as it would a new box.
    expire(&fixture, device, 366).await?;
    assert_eq!((enroll(&fixture, 10).await?, uses().await?), (Ok(device), 2));
    expire(&fixture, device, 366).await?;
    assert_eq!((enroll(&fixture, 10).await?, uses().await?), (Err(ReasonCode::PeerRecoveryExpired), 2));
    // Somebody lets it.
    let extend = "UPDATE device SET recoverable_until = now() + interval '1 day' WHERE id = $1";
    assert_eq!(fixture.admin.execute(extend, &[&device]).await?, 1);
    assert_eq!((enroll(&fixture, 10).await?, uses().await?), (Ok(device), 2));
    Ok(())
}

#[tokio::test]
async fn an_old_approval_is_no_way_around_the_allowance() -> Result<()> {
    let fixture = Fixture::new().await?;
    assert_eq!(wait(&fixture, 10, "AC3467DX").await?, Ok(()));
    let device = approve(&fixture, "AC3467DX").await?.expect("it waits");
    expire(&fixture, device, 364).await?;
    assert_eq!(wait(&fixture, 10, "CCCCCCCC").await?, Ok(()));
    expire(&fixture, device, 366).await?;
    assert_eq!(wait(&fixture, 10, "CCCCCCCC").await?, Err(ReasonCode::PeerRecoveryExpired));
    let left: SystemTime =
        fixture.admin.query_one("SELECT certificate_expires_at FROM device WHERE id = $1", &[&device]).await?.get(0);
    assert!(left < SystemTime::now(), "nothing was granted");
    Ok(())
}

#[tokio::test]
async fn a_rotation_waits_for_nobody_who_may_not_connect() -> Result<()> {
    let fixture = Fixture::new().await?;
    let gate = Gate { trust_version: Some(2), ..Gate::default() };
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let stolen = fixture.enroll(&fixture.first, 11, "attic").await?.device;
    let count = async || fixture.store.system.rotation_count(gate).await;
    assert_eq!(
        count().await?,
        Standing { devices: 2, ready: 0, lost: 0 },
        "each kept the chain that it verified us by"
    );
    // Boxes from before it was asked for.
    assert_eq!(fixture.admin.execute("UPDATE device_status SET trust_version = 0", &[]).await?, 2);
    assert_eq!(count().await?, Standing { devices: 2, ready: 0, lost: 2 });
    fixture.store.app.device_revoke(&fixture.first, &actor(), stolen).await?;
    assert_eq!(count().await?, Standing { devices: 1, ready: 0, lost: 1 });
    let stragglers = fixture.store.system.straggler_list_page(gate, None, 10).await?;
    assert_eq!(stragglers.iter().map(|row| row.device).collect::<Vec<_>>(), [device]);
    Ok(())
}

/// Authority 2 counts and 3 is to take its place: what must not be when that is taken back is a box with a certificate of 3.
#[tokio::test]
async fn only_a_box_with_a_certificate_of_the_next_authority_holds_up_the_way_back() -> Result<()> {
    let fixture = Fixture::new().await?;
    let gate = Gate { not_authority: Some(3), ..Gate::default() };
    // Granted, and shown: 0 for never.
    for (number, granted, shown) in [(10, 2, 0), (11, 1, 1), (12, 3, 2), (13, 2, 2), (14, 2, 3), (15, 3, 3), (16, 3, 0)]
    {
        let device = fixture.enroll(&fixture.first, number, &format!("box-{number}")).await?.device;
        let update = "UPDATE device SET certificate_authority = $2 WHERE id = $1";
        fixture.admin.execute(update, &[&device, &granted]).await?;
        let update = "UPDATE device_status SET shown_authority = $2 WHERE device_id = $1";
        fixture.admin.execute(update, &[&device, &shown]).await?;
    }
    assert_eq!(fixture.store.system.rotation_count(gate).await?, Standing { devices: 7, ready: 4, lost: 0 });
    let mut held: Vec<String> =
        fixture.store.system.straggler_list_page(gate, None, 10).await?.into_iter().map(|row| row.name).collect();
    held.sort();
    assert_eq!(held, ["box-14", "box-15", "box-16"]);
    Ok(())
}

/// What is counted over all organizations is listed over all, page by page.
#[tokio::test]
async fn those_who_have_not_come_along_are_listed_with_whose_they_are() -> Result<()> {
    let fixture = Fixture::new().await?;
    let gate = Gate { trust_version: Some(2), ..Gate::default() };
    let ours = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let theirs = fixture.enroll(&fixture.second, 11, "attic").await?.device;
    let first = fixture.store.system.straggler_list_page(gate, None, 1).await?;
    let rest = fixture.store.system.straggler_list_page(gate, first.last().map(|row| row.device), 10).await?;
    let mut listed: Vec<_> = first.iter().chain(&rest).map(|row| (row.organization, row.device)).collect();
    listed.sort();
    let mut expected = vec![(fixture.first.organization(), ours), (fixture.second.organization(), theirs)];
    expected.sort();
    assert_eq!(listed, expected);
    Ok(())
}

#[tokio::test]
async fn the_history_of_certificates_ends_some_time() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let insert = "INSERT INTO device_certificate (organization_id, device_id, authority, cause, issued_at, expires_at)
                  SELECT $1, $2, 1, 3, now() - make_interval(days => n + 30), now() - make_interval(days => n) FROM generate_series(1, 5) AS n";
    assert_eq!(fixture.admin.execute(insert, &[&fixture.first.organization(), &device]).await?, 5);
    let system = &fixture.store.system;
    let horizon = SystemTime::now() - 2 * DAY - DAY / 2;
    assert_eq!(system.certificate_delete_ended(horizon, 2).await?, 2);
    assert_eq!(system.certificate_delete_ended(horizon, 2).await?, 1);
    assert_eq!(system.certificate_delete_ended(horizon, 2).await?, 0);
    let row = fixture.admin.query_one("SELECT count(*), min(expires_at) FROM device_certificate", &[]).await?;
    let (count, oldest): (i64, SystemTime) = (row.get(0), row.get(1));
    assert_eq!(count, 3);
    let age = SystemTime::now().duration_since(oldest).context("it ended")?;
    assert!(age < 3 * DAY, "the oldest went first");
    Ok(())
}

/// Whoever proves its key again and again writes no more than so many rows.
#[tokio::test]
async fn a_device_gets_so_many_certificates_for_its_key_and_no_more() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 1).await?;
    let device = enroll(&fixture, 10).await?.expect("a new key");
    let recover = async || -> Result<_> {
        let recovered = fixture.store.system.certificate_recover(&hash(10), grant(), SystemTime::now()).await?;
        Ok(recovered.map(|enrolled| enrolled.device))
    };
    // One it has from its enrolment.
    for _ in 0..12 {
        assert_eq!(recover().await?, Ok(device));
    }
    for _ in 0..11 {
        assert_eq!(enroll(&fixture, 10).await?, Ok(device));
    }
    let rows = async |table: &str| -> Result<i64> {
        Ok(fixture.admin.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0))
    };
    let written = (rows("device_certificate").await?, rows("event").await?, rows("audit").await?);
    assert_eq!(written.0, 24);
    assert_eq!(recover().await?, Err(ReasonCode::EnrollmentBusy));
    assert_eq!(enroll(&fixture, 10).await?, Err(ReasonCode::EnrollmentBusy));
    assert_eq!((rows("device_certificate").await?, rows("event").await?, rows("audit").await?), written);
    // A day later it may again.
    fixture.admin.execute("UPDATE device_certificate SET issued_at = issued_at - interval '25 hours'", &[]).await?;
    assert_eq!(recover().await?, Ok(device));
    Ok(())
}

/// A server's clock that was wrong for an hour costs no box its way back.
#[tokio::test]
async fn the_allowance_counts_from_the_latest_end_that_was_ever_granted() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 1).await?;
    let device = enroll(&fixture, 10).await?.expect("a new key");
    let ends_at = async || -> Result<SystemTime> {
        let row =
            fixture.admin.query_one("SELECT certificate_expires_at FROM device WHERE id = $1", &[&device]).await?;
        Ok(row.get(0))
    };
    let before = ends_at().await?;
    let long_ago = SystemTime::now() - 800 * DAY;
    let of_then = CertificateGrant { issued_at: long_ago, expires_at: long_ago + 30 * DAY, ..grant() };
    let recovered = fixture.store.system.certificate_recover(&hash(10), of_then, long_ago).await?;
    assert_eq!(recovered.map(|enrolled| enrolled.device), Ok(device));
    assert_eq!(ends_at().await?, before);
    let recovered = fixture.store.system.certificate_recover(&hash(10), grant(), SystemTime::now()).await?;
    assert_eq!(recovered.map(|enrolled| enrolled.device), Ok(device), "it was never away");
    Ok(())
}
