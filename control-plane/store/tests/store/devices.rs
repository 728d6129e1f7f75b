//! Devices, tokens and claims: paging, names, tenants, single use.

use crate::support::{BOX_BYTES, Fixture, actor, by_token, claim, grant, hash, new_device};
use anyhow::{Context, Result};
use kaliun_domain::enrollment::EnrollmentState;
use kaliun_domain::name_pattern::NameParts;
use kaliun_store::{
    Approval, ClaimChecked, DeviceChange, DeviceFilter, DeviceOrder, EnrollmentRow, NewClaim, NewJoinToken,
    NotApproved, OrganizationScope, StoreError, SystemStore,
};
use kaliun_types::id::InstallationId;
use kaliun_types::limits::LABELS_MAX;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use kaliun_types::selector::Selector;
use std::time::{Duration, SystemTime};
use tokio_postgres::error::SqlState;

#[tokio::test]
async fn every_order_pages_through_all_devices_once() -> Result<()> {
    let fixture = Fixture::new().await?;
    for key in 0..7 {
        fixture.enroll(&fixture.first, 10 + key, "box").await?;
    }
    fixture.enroll(&fixture.second, 30, "foreign").await?;
    for order in [DeviceOrder::Name, DeviceOrder::Health, DeviceOrder::LinkSince, DeviceOrder::Enrolled] {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let page = fixture
                .store
                .app
                .device_list_page(&fixture.first, &DeviceFilter::default(), order, after.as_ref(), 3)
                .await?;
            names.extend(page.iter().map(|(device, _)| device.name.clone()));
            match page.into_iter().last() {
                Some((_, position)) => after = Some(position),
                None => break,
            }
        }
        names.sort();
        assert_eq!(names, ["box", "box-2", "box-3", "box-4", "box-5", "box-6", "box-7"], "{order:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_revoked_device_stands_last_and_is_counted_apart() -> Result<()> {
    let fixture = Fixture::new().await?;
    let store = &fixture.store.app;
    let stolen = fixture.enroll(&fixture.first, 10, "attic").await?.device;
    for (key, name) in [(11, "cellar"), (12, "garage")] {
        fixture.enroll(&fixture.first, key, name).await?;
    }
    assert!(store.device_revoke(&fixture.first, &actor(), stolen).await?);
    let first = &fixture.first;
    let by_health = |filter: DeviceFilter, after| async move {
        let page = store.device_list_page(first, &filter, DeviceOrder::Health, after, 2).await?;
        let names: Vec<_> = page.iter().map(|(device, _)| device.name.clone()).collect();
        anyhow::Ok((names, page.into_iter().last().map(|(_, position)| position)))
    };
    let (page, after) = by_health(DeviceFilter::default(), None).await?;
    let (next, last) = by_health(DeviceFilter::default(), after.as_ref()).await?;
    assert_eq!((page, next), (vec!["cellar".to_owned(), "garage".to_owned()], vec!["attic".to_owned()]));
    assert_eq!(by_health(DeviceFilter::default(), last.as_ref()).await?.0, [""; 0]);

    let summary = store.device_summary(&fixture.first, &DeviceFilter::default()).await?;
    assert_eq!((summary.total, summary.unknown, summary.revoked), (3, 2, 1));
    // Nobody waits for it, so it is not offline.
    let offline = DeviceFilter { online: Some(false), ..DeviceFilter::default() };
    assert_eq!(by_health(offline.clone(), None).await?.0, ["cellar", "garage"]);
    let summary = store.device_summary(&fixture.first, &offline).await?;
    assert_eq!((summary.total, summary.revoked), (2, 0));
    Ok(())
}

#[tokio::test]
async fn selectors_select_in_the_database_as_in_memory() -> Result<()> {
    let fixture = Fixture::new().await?;
    for key in 10..14 {
        fixture.enroll(&fixture.first, key, "box").await?;
    }
    let all = fixture
        .store
        .app
        .device_list_page(&fixture.first, &DeviceFilter::default(), DeviceOrder::Name, None, 100)
        .await?;
    for text in [
        "",
        "key=11",
        "key!=11",
        "key in (11,12)",
        "key notin (11,12)",
        "key",
        "!key",
        "other",
        "!other",
        "key=11,key=12",
        "other!=1",
    ] {
        let selector = Selector::parse(text)?;
        let expected: Vec<_> =
            all.iter().filter(|(device, _)| selector.matches(&device.labels)).map(|(device, _)| device.id).collect();
        let filter = DeviceFilter { selector, ..DeviceFilter::default() };
        let found = fixture.store.app.device_list_page(&fixture.first, &filter, DeviceOrder::Name, None, 100).await?;
        assert_eq!(found.iter().map(|(device, _)| device.id).collect::<Vec<_>>(), expected, "{text}");
        let summary = fixture.store.app.device_summary(&fixture.first, &filter).await?;
        assert_eq!(summary.total, i64::try_from(expected.len())?, "{text}");
        assert_eq!(summary.unknown, summary.total, "{text}: none has reported");
    }
    Ok(())
}

#[tokio::test]
async fn a_foreign_device_can_neither_be_seen_nor_changed() -> Result<()> {
    let fixture = Fixture::new().await?;
    let foreign = fixture.enroll(&fixture.second, 10, "attic").await?.device;
    let store = &fixture.store.app;
    assert!(store.device_get(&fixture.first, foreign).await?.is_none());
    assert!(store.device_get_by_name(&fixture.first, "attic").await?.is_none());
    let change = DeviceChange { name: Some("mine".to_owned()), ..DeviceChange::default() };
    assert!(!store.device_update(&fixture.first, &actor(), foreign, 1, &change).await?);
    assert!(!store.device_delete(&fixture.first, &actor(), foreign).await?);
    let device = store.device_get(&fixture.second, foreign).await?.context("still there")?;
    assert_eq!(device.name, "attic");
    Ok(())
}

#[tokio::test]
async fn a_change_is_refused_when_somebody_was_faster_and_leaves_an_audit_row() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    fixture.enroll(&fixture.first, 11, "attic").await?;
    let store = &fixture.store.app;
    let rename = |name: &str| DeviceChange { name: Some(name.to_owned()), ..DeviceChange::default() };
    assert!(store.device_update(&fixture.first, &actor(), device, 1, &rename("garage")).await?);
    let stale = store.device_update(&fixture.first, &actor(), device, 1, &rename("shed")).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    let taken = store.device_update(&fixture.first, &actor(), device, 2, &rename("attic")).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let updates: i64 =
        fixture.admin.query_one("SELECT count(*) FROM audit WHERE action = 'device.update'", &[]).await?.get(0);
    assert_eq!(updates, 1, "refused changes leave no row");
    Ok(())
}

#[tokio::test]
async fn a_join_token_lets_in_as_many_as_it_says() -> Result<()> {
    let fixture = Fixture::new().await?;
    let token = NewJoinToken {
        description: "two",
        secret_hash: &hash(7),
        labels: &Default::default(),
        name_pattern: None,
        needs_approval: false,
        max_uses: 2,
        expires_at: SystemTime::now() + Duration::from_secs(60),
    };
    fixture.store.app.join_token_insert(&fixture.first, &actor(), token).await?;
    let name = DeviceName::parse("box")?;
    let enroll = async |key: u8| {
        let key = hash(key);
        by_token(&fixture.store.system, &hash(7), &new_device(&key, &name)).await
    };
    let first = enroll(10).await?.expect("the first is let in");
    assert!(first.is_new);
    let again = enroll(10).await?.expect("asking again is not a second use");
    assert_eq!((again.device, again.is_new), (first.device, false));
    let noted = "SELECT (SELECT count(*) FROM event WHERE code = 'device.reissued' AND device_id = $1),
                        (SELECT count(*) FROM audit WHERE action = 'device.reissue' AND target = 'device/' || $1::uuid)";
    let row = fixture.admin.query_one(noted, &[&first.device]).await?;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 1), "a certificate given again leaves its trace");
    let (a, b, c) = tokio::join!(enroll(11), enroll(12), enroll(13));
    let outcomes = [a?, b?, c?];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.contains(&Err(ReasonCode::EnrollmentTokenUsedUp)), "{outcomes:?}");
    let unknown = by_token(&fixture.store.system, &hash(99), &new_device(&hash(14), &name)).await?;
    assert_eq!(unknown, Err(ReasonCode::EnrollmentTokenInvalid));
    Ok(())
}

#[tokio::test]
async fn a_device_has_so_many_labels_and_no_more() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let set = async |version: i64, from: usize, to: usize, remove: &[&str]| {
        let change = DeviceChange {
            name: None,
            set_labels: (from..to).map(|number| (format!("k{number}"), String::new())).collect(),
            remove_labels: remove.iter().map(|key| (*key).to_owned()).collect(),
        };
        fixture.store.app.device_update(&fixture.first, &actor(), device, version, &change).await
    };
    // One is there since it was enrolled.
    assert!(set(1, 0, LABELS_MAX - 1, &[]).await?);
    let refused = set(2, LABELS_MAX, LABELS_MAX + 1, &[]).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooMany { most: LABELS_MAX, .. }), "{refused}");
    assert!(set(2, LABELS_MAX, LABELS_MAX + 1, &["k0"]).await?);
    Ok(())
}

/// The second wall: a home of another organization cannot even be named.
#[tokio::test]
async fn a_device_is_in_a_home_of_its_own_organization() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let home =
        "INSERT INTO installation (id, organization_id, name) VALUES (gen_random_uuid(), $1, 'Other') RETURNING id";
    let move_to = "UPDATE device SET installation_id = $2 WHERE id = $1";
    let own: InstallationId = fixture.admin.query_one(home, &[&fixture.first.organization()]).await?.get(0);
    let foreign: InstallationId = fixture.admin.query_one(home, &[&fixture.second.organization()]).await?.get(0);
    assert_eq!(fixture.admin.execute(move_to, &[&device, &own]).await?, 1);
    let refused = fixture.admin.execute(move_to, &[&device, &foreign]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::FOREIGN_KEY_VIOLATION), "{refused}");
    let event = "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
                 VALUES ($1, $2, 'device.changed', '', 'test', now())";
    let refused = fixture.admin.execute(event, &[&fixture.second.organization(), &device]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::FOREIGN_KEY_VIOLATION), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_live_elsewhere_is_refused() -> Result<()> {
    let fixture = Fixture::new().await?;
    fixture.enroll(&fixture.first, 10, "cellar").await?;
    let error = fixture.enroll(&fixture.second, 10, "cellar").await.unwrap_err();
    assert!(error.to_string().contains(ReasonCode::EnrollmentKeyInUse.code()), "{error}");
    Ok(())
}

const MINUTE: Duration = Duration::from_secs(60);

/// Looks a code up, lets the box answer, and types the right check characters.
async fn check(system: &SystemStore, scope: &OrganizationScope, code: &str) -> Result<EnrollmentRow> {
    let found = system.claim_look_up(scope, code, &[7; 32]).await?.context("a box waits under the code")?;
    assert!(found.is_first);
    let again = system.claim_look_up(scope, code, &[8; 32]).await?.context("it still waits")?;
    assert!(!again.is_first);
    assert_eq!(again.enrollment.check_nonce, Some([7; 32]), "there is one nonce for each commitment");
    let early = system.claim_check(scope, &actor(), code, &|_| true).await?;
    assert!(matches!(early, ClaimChecked::NotRevealed), "{early:?}");
    let waiting = &found.enrollment;
    assert!(!system.enrollment_reveal(waiting.id, waiting.begun_count - 1, &BOX_BYTES).await?, "an older stream");
    assert!(system.enrollment_reveal(waiting.id, waiting.begun_count, &[1; 32]).await.is_err(), "other bytes");
    assert!(system.enrollment_reveal(waiting.id, waiting.begun_count, &BOX_BYTES).await?);
    assert!(!system.enrollment_reveal(waiting.id, waiting.begun_count, &BOX_BYTES).await?, "once");
    let checked = system.claim_check(scope, &actor(), code, &|_| true).await?;
    let ClaimChecked::Right(row) = checked else { anyhow::bail!("{checked:?}") };
    Ok(*row)
}

#[tokio::test]
async fn a_claim_code_works_once() -> Result<()> {
    let fixture = Fixture::new().await?;
    let name = DeviceName::parse("cellar")?;
    let key = hash(10);
    let system = &fixture.store.system;
    let waiting =
        system.enrollment_wait(&new_device(&key, &name), &claim("AC3467DX", MINUTE), SystemTime::now()).await?;
    let waiting = waiting.expect("it may wait");
    assert_eq!(waiting.state, EnrollmentState::Pending);
    assert_eq!(waiting.expires_in, MINUTE, "by the clock that judges the code");
    let checked = check(system, &fixture.first, "AC3467DX").await?;
    let approve = async |scope| {
        let approval = Approval {
            installation: None,
            name: None,
            parts: NameParts { hostname: name.as_str(), model: "", serial: "", key_hash: &[] },
            labels: &Default::default(),
            facts_hash: b"hash",
            certificate: grant(),
        };
        system.enrollment_approve(scope, &actor(), "AC3467DX", &checked, approval).await
    };
    let (one, two) = tokio::join!(approve(&fixture.first), approve(&fixture.second));
    let approved: Vec<_> = [one?, two?].into_iter().flatten().collect();
    assert_eq!(approved.len(), 1, "two people took the same box");
    assert!(system.claim_look_up(&fixture.first, "AC3467DX", &[7; 32]).await?.is_none());
    let row = system.enrollment_get(waiting.id).await?.context("still there")?;
    assert_eq!((row.state, row.device), (EnrollmentState::Approved, Some(approved[0].1.device)));
    let audited = "SELECT after FROM audit WHERE action = 'device.enroll' AND target = $1";
    let target = format!("device/{}", approved[0].1.device);
    let after: serde_json::Value = fixture.admin.query_one(audited, &[&target]).await?.get(0);
    assert_eq!(after["enrollment"], format!("enrollment/{}", waiting.id), "wrong tries are audited under the same");
    assert_eq!((&after["way"], &after["key_fingerprint"]), (&"code".into(), &"0a0a 0a0a 0a0a 0a0a".into()));
    assert_eq!(after["installation"], serde_json::Value::Null);
    // A box whose answer was lost asks again and gets its approval, under no new code.
    let again = system.enrollment_wait(&new_device(&key, &name), &claim("CCCCCCCC", MINUTE), SystemTime::now()).await?;
    assert_eq!(again.expect("approved").state, EnrollmentState::Approved);
    assert!(system.claim_look_up(&fixture.first, "CCCCCCCC", &[7; 32]).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn an_ended_code_finds_nothing() -> Result<()> {
    let fixture = Fixture::new().await?;
    let name = DeviceName::parse("cellar")?;
    let key = hash(10);
    let waiting = fixture
        .store
        .system
        .enrollment_wait(&new_device(&key, &name), &claim("AC3467DX", Duration::ZERO), SystemTime::now())
        .await?;
    assert!(waiting.is_ok());
    assert!(fixture.store.system.claim_look_up(&fixture.first, "AC3467DX", &[7; 32]).await?.is_none());
    assert!(fixture.store.system.enrollment_deny(&fixture.first, &actor(), "AC3467DX").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn the_code_of_a_box_that_went_away_runs_out_soon_and_no_other() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let name = DeviceName::parse("cellar")?;
    let key = hash(10);
    let quarter = 15 * MINUTE;
    let soon = SystemTime::now() + Duration::from_secs(6 * 60);
    let wait = async |code| -> Result<_> {
        Ok(system
            .enrollment_wait(&new_device(&key, &name), &claim(code, quarter), SystemTime::now())
            .await?
            .expect("it may wait"))
    };
    let left = wait("AC3467DX").await?;
    // It came back under another code before its first stream was seen to end.
    let came_back = wait("CCCCCCCC").await?;
    system.enrollment_let_run_out(&left).await?;
    let row = system.enrollment_get(left.id).await?.context("still there")?;
    assert!(row.code_expires_at > soon, "the new code keeps its time");
    system.enrollment_let_run_out(&came_back).await?;
    let row = system.enrollment_get(left.id).await?.context("still there")?;
    assert!(row.code_expires_at < soon && row.code_expires_at > SystemTime::now());
    assert!(system.enrollments_decided(&[left.id], &[false]).await?.is_empty(), "it may still be taken");
    assert!(system.enrollment_deny(&fixture.first, &actor(), "CCCCCCCC").await?.is_some());
    assert_eq!(system.enrollments_decided(&[left.id], &[false]).await?, [left.id]);
    Ok(())
}

/// What a stream was told, and what it revealed, is dead when the box comes again: otherwise whoever knows the nonce could choose a
/// commitment by it. Each return costs a try, and the last brings a new code.
#[tokio::test]
async fn a_box_that_comes_again_has_other_check_characters() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let (name, key) = (DeviceName::parse("cellar")?, hash(10));
    let wait = async |code, nonce: u8| -> Result<EnrollmentRow> {
        let claim = NewClaim { nonce: &[nonce; 32], ..claim(code, MINUTE) };
        Ok(system.enrollment_wait(&new_device(&key, &name), &claim, SystemTime::now()).await?.expect("it may wait"))
    };
    let first = wait("AC3467DX", 1).await?;
    assert_eq!(first.check_nonce, None, "nobody has entered the code");
    let checked = check(system, &fixture.first, "AC3467DX").await?;
    for (nonce, tries_left) in [(2, 4), (3, 3), (4, 2), (5, 1)] {
        let again = wait("CCCCCCCC", nonce).await?;
        assert_eq!(again.claim_code.as_deref(), Some("AC3467DX"), "somebody is just claiming it");
        assert_eq!((again.check_nonce, again.check_bytes), (Some([nonce; 32]), None));
        assert!(!system.enrollment_reveal(first.id, first.begun_count, &BOX_BYTES).await?, "an older stream");
        let found = system.claim_look_up(&fixture.first, "AC3467DX", &[7; 32]).await?.context("it waits")?;
        assert_eq!((found.check_tries_left, found.is_first), (tries_left, false));
        let unrevealed = system.claim_check(&fixture.first, &actor(), "AC3467DX", &|_| true).await?;
        assert!(matches!(unrevealed, ClaimChecked::NotRevealed), "{unrevealed:?}");
        assert!(system.enrollment_reveal(again.id, again.begun_count, &BOX_BYTES).await?);
    }
    let approval = Approval {
        installation: None,
        name: None,
        parts: NameParts { hostname: name.as_str(), model: "", serial: "", key_hash: &[] },
        labels: &Default::default(),
        facts_hash: b"hash",
        certificate: grant(),
    };
    let old = system.enrollment_approve(&fixture.first, &actor(), "AC3467DX", &checked, approval).await?;
    assert!(matches!(old, Err(NotApproved::NoSuchCode)), "{old:?}");
    let last = wait("CCCCCCCC", 6).await?;
    assert_eq!((last.claim_code.as_deref(), last.check_nonce), (Some("CCCCCCCC"), None));
    assert!(system.claim_look_up(&fixture.first, "AC3467DX", &[7; 32]).await?.is_none());
    Ok(())
}

/// The code opens the claim, and the nonces make its check characters.
#[tokio::test]
async fn a_waiting_box_does_not_print_its_secrets() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let (name, key) = (DeviceName::parse("cellar")?, hash(10));
    let waiting =
        system.enrollment_wait(&new_device(&key, &name), &claim("AC3467DX", MINUTE), SystemTime::now()).await?;
    assert!(waiting.is_ok());
    let found = system.claim_look_up(&fixture.first, "AC3467DX", &[77; 32]).await?.context("it waits")?;
    let printed = format!("{found:?} {:?}", ClaimChecked::Right(Box::new(found.enrollment.clone())));
    for secret in ["AC3467DX", "77, 77"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    Ok(())
}
