//! Join tokens with names and approval: who sees the boxes that wait, what a yes and a no do, and what a token is worth then.

use crate::support::{FACTS_HASH, Fixture, actor, claim, grant, hash, new_device};
use anyhow::{Context, Result};
use kaliun_domain::certificate::CertificateCause;
use kaliun_domain::enrollment::EnrollmentState;
use kaliun_domain::name_pattern::{NameParts, NamePattern};
use kaliun_store::{
    Approval, ByToken, Enrolled, EnrollmentRow, NewJoinToken, NotApproved, OrganizationScope, StoreError, WaitingRow,
};
use kaliun_types::id::{DeviceId, EnrollmentId, InstallationId, JoinTokenId};
use kaliun_types::label::Labels;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};

const SECRET: [u8; 32] = [77; 32];

async fn token(fixture: &Fixture, max_uses: i32, pattern: &str) -> Result<JoinTokenId> {
    let pattern = NamePattern::parse(pattern)?;
    let token = NewJoinToken {
        description: "shops",
        secret_hash: &SECRET,
        labels: &[("group".to_owned(), "shops".to_owned()), ("site".to_owned(), "wien".to_owned())].into(),
        name_pattern: Some(&pattern),
        needs_approval: true,
        max_uses,
        expires_at: SystemTime::now() + Duration::from_secs(3_600),
    };
    Ok(fixture.store.app.join_token_insert(&fixture.first, &actor(), token).await?.id)
}

async fn come(fixture: &Fixture, key: u8) -> Result<Result<ByToken, ReasonCode>> {
    let (key, name) = (hash(key), DeviceName::parse("homeassistant")?);
    Ok(fixture.store.system.enroll_by_token(&SECRET, &new_device(&key, &name), "::1", SystemTime::now()).await?)
}

async fn waits(fixture: &Fixture, key: u8) -> Result<EnrollmentRow> {
    match come(fixture, key).await? {
        Ok(ByToken::Waits(row)) => Ok(row),
        other => anyhow::bail!("{other:?}"),
    }
}

async fn admit(
    fixture: &Fixture,
    scope: &OrganizationScope,
    id: EnrollmentId,
    name: Option<&DeviceName>,
    installation: Option<InstallationId>,
    labels: &Labels,
) -> Result<Result<Enrolled, NotApproved>, StoreError> {
    let approval = Approval {
        installation,
        name,
        parts: NameParts { hostname: "homeassistant", model: "", serial: "", key_hash: &[] },
        labels,
        facts_hash: &FACTS_HASH,
        certificate: grant(),
    };
    fixture.store.system.enrollment_admit(scope, &actor(), id, approval, SystemTime::now()).await
}

async fn admit_plainly(fixture: &Fixture, id: EnrollmentId) -> Result<Result<Enrolled, NotApproved>> {
    Ok(admit(fixture, &fixture.first, id, None, None, &Labels::new()).await?)
}

async fn listed(fixture: &Fixture, scope: &OrganizationScope) -> Result<Vec<WaitingRow>> {
    let (rows, count) = fixture.store.app.enrollment_list_page(scope, None, 100).await?;
    assert_eq!(usize::try_from(count)?, rows.len());
    Ok(rows)
}

async fn causes(fixture: &Fixture, device: DeviceId) -> Result<Vec<CertificateCause>> {
    let rows = fixture.store.app.certificate_list_page(&fixture.first, device, None, 100).await?;
    Ok(rows.context("a device")?.into_iter().map(|row| row.cause).collect())
}

#[tokio::test]
async fn boxes_that_wait_are_seen_by_the_token_s_organization_alone() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 10, "shop-{n}").await?;
    let waiting = waits(&fixture, 10).await?;
    // One by code is nobody's, and on no list.
    let (key, name, now) = (hash(11), DeviceName::parse("cellar")?, SystemTime::now());
    let claim = claim("AC3467DX", Duration::from_secs(900));
    let by_code = fixture.store.system.enrollment_wait(&new_device(&key, &name), &claim, now).await?;
    let by_code = by_code.expect("it may wait");

    let rows = listed(&fixture, &fixture.first).await?;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [waiting.id]);
    assert_eq!((rows[0].join_token_description.as_str(), rows[0].facts.as_slice()), ("shops", &b"facts"[..]));
    assert!(listed(&fixture, &fixture.second).await?.is_empty());
    for (scope, id) in [(&fixture.second, waiting.id), (&fixture.first, by_code.id)] {
        assert!(fixture.store.app.enrollment_waiting(scope, id).await?.is_none());
        assert_eq!(admit(&fixture, scope, id, None, None, &Labels::new()).await?, Err(NotApproved::NoSuchEnrollment));
        assert!(!fixture.store.system.enrollment_turn_away(scope, &actor(), id).await?);
    }

    // The second wall: not by the store's words, but by the database.
    fixture.admin.batch_execute("BEGIN; SET LOCAL ROLE kaliun_app").await?;
    let seen = "SELECT count(*) FROM enrollment";
    assert_eq!(fixture.admin.query_one(seen, &[]).await?.get::<_, i64>(0), 0, "without an organization");
    let other = fixture.second.organization().to_string();
    fixture
        .admin
        .execute(
            "SELECT set_config('kaliun.organization_id', $1, true), set_config('kaliun.reach', '*', true)",
            &[&other],
        )
        .await?;
    assert_eq!(fixture.admin.query_one(seen, &[]).await?.get::<_, i64>(0), 0, "as another organization");
    let own = fixture.first.organization().to_string();
    fixture
        .admin
        .execute(
            "SELECT set_config('kaliun.organization_id', $1, true), set_config('kaliun.reach', '*', true)",
            &[&own],
        )
        .await?;
    let ids = fixture.admin.query("SELECT id FROM enrollment", &[]).await?;
    assert_eq!(ids.iter().map(|row| row.get::<_, EnrollmentId>(0)).collect::<Vec<_>>(), [waiting.id]);
    fixture.admin.batch_execute("ROLLBACK").await?;
    for secret in ["claim_code", "check_nonce", "check_commitment", "check_bytes", "check_misses"] {
        fixture.admin.batch_execute("BEGIN; SET LOCAL ROLE kaliun_app").await?;
        assert!(fixture.admin.query(&format!("SELECT {secret} FROM enrollment"), &[]).await.is_err(), "{secret}");
        fixture.admin.batch_execute("ROLLBACK").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_yes_names_the_box_and_gives_one_certificate() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    token(&fixture, 2, "shop-{n}").await?;
    let (first, second) = (waits(&fixture, 10).await?, waits(&fixture, 11).await?);
    assert_eq!(waits(&fixture, 10).await?.id, first.id, "the same box waits once");
    let labels: Labels = [("site".to_owned(), "graz".to_owned())].into();
    let enrolled = admit(&fixture, &fixture.first, first.id, None, None, &labels).await?.expect("it waits");
    assert_eq!(enrolled.name, "shop-1");
    let stored: serde_json::Value =
        fixture.admin.query_one("SELECT labels FROM device WHERE id = $1", &[&enrolled.device]).await?.get(0);
    assert_eq!(stored, serde_json::json!({ "group": "shops", "site": "graz" }), "what somebody says counts more");
    assert_eq!(admit_plainly(&fixture, first.id).await?, Err(NotApproved::NoSuchEnrollment), "a yes is for once");
    assert_eq!(causes(&fixture, enrolled.device).await?, [], "the box has not come for it yet");

    // It comes, twice at once.
    let again = waits(&fixture, 10).await?;
    assert_eq!((again.state, again.device), (EnrollmentState::Approved, Some(enrolled.device)));
    let now = SystemTime::now();
    let (one, two) = tokio::join!(
        system.enrollment_collect(first.id, grant(), now),
        system.enrollment_collect(first.id, grant(), now)
    );
    let mut new: Vec<bool> = [one?, two?]
        .into_iter()
        .map(|one| one.map(|one| one.is_new))
        .collect::<Result<_, _>>()
        .expect("both have the key");
    new.sort_unstable();
    assert_eq!(new, [false, true]);
    let mut given = causes(&fixture, enrolled.device).await?;
    given.sort_by_key(|cause| cause.number());
    assert_eq!(given, [CertificateCause::Enrolled, CertificateCause::GivenAgain]);

    let named = DeviceName::parse("corner")?;
    let other = admit(&fixture, &fixture.first, second.id, Some(&named), None, &Labels::new()).await?;
    assert_eq!(other.expect("it waits").name, "corner");
    assert_eq!(come(&fixture, 12).await?.err(), Some(ReasonCode::EnrollmentTokenUsedUp));
    Ok(())
}

#[tokio::test]
async fn a_no_is_told_and_ends_after_an_hour() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 2, "shop-{n}").await?;
    let waiting = waits(&fixture, 10).await?;
    assert!(fixture.store.system.enrollment_turn_away(&fixture.first, &actor(), waiting.id).await?);
    assert!(!fixture.store.system.enrollment_turn_away(&fixture.first, &actor(), waiting.id).await?, "once");
    assert_eq!(admit_plainly(&fixture, waiting.id).await?, Err(NotApproved::NoSuchEnrollment));
    assert_eq!(come(&fixture, 10).await?.err(), Some(ReasonCode::EnrollmentDenied));
    assert!(listed(&fixture, &fixture.first).await?.is_empty());
    fixture.admin.batch_execute("UPDATE enrollment SET code_expires_at = now() - interval '1 second'").await?;
    assert_eq!(waits(&fixture, 10).await?.state, EnrollmentState::Pending, "somebody may have thought again");
    Ok(())
}

#[tokio::test]
async fn a_token_that_has_ended_lets_nobody_in_that_waits() -> Result<()> {
    let fixture = Fixture::new().await?;
    let id = token(&fixture, 1, "shop-{n}").await?;
    let (first, second) = (waits(&fixture, 10).await?, waits(&fixture, 11).await?);
    // At once: one use for two.
    let (one, two) = tokio::join!(admit_plainly(&fixture, first.id), admit_plainly(&fixture, second.id));
    let outcomes = [one?, two?];
    let refused = Err(NotApproved::TokenRefused(ReasonCode::EnrollmentTokenUsedUp));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");

    fixture.admin.batch_execute("UPDATE join_token SET max_uses = 10").await?;
    let third = waits(&fixture, 12).await?;
    assert!(fixture.store.app.join_token_revoke(&fixture.first, &actor(), id).await?);
    assert!(listed(&fixture, &fixture.first).await?.is_empty());
    let revoked = Err(NotApproved::TokenRefused(ReasonCode::EnrollmentTokenRevoked));
    assert_eq!(admit_plainly(&fixture, third.id).await?, revoked);
    assert_eq!(come(&fixture, 12).await?.err(), Some(ReasonCode::EnrollmentTokenRevoked));
    Ok(())
}

#[tokio::test]
async fn a_yes_that_cannot_be_uses_nothing_up() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 1, "shop-{n}").await?;
    fixture.enroll(&fixture.first, 50, "taken").await?;
    let waiting = waits(&fixture, 10).await?;
    let taken = DeviceName::parse("taken")?;
    let named = admit(&fixture, &fixture.first, waiting.id, Some(&taken), None, &Labels::new()).await;
    assert!(matches!(named, Err(StoreError::AlreadyExists { .. })), "{named:?}");
    let nowhere = Some(InstallationId::new());
    let homed = admit(&fixture, &fixture.first, waiting.id, None, nowhere, &Labels::new()).await?;
    assert_eq!(homed, Err(NotApproved::NoSuchInstallation));
    let many: Labels = (0..64).map(|n| (format!("k{n}"), String::new())).collect();
    let labelled = admit(&fixture, &fixture.first, waiting.id, None, None, &many).await;
    assert!(matches!(labelled, Err(StoreError::TooMany { .. })), "{labelled:?}");
    assert_eq!(admit_plainly(&fixture, waiting.id).await?.map(|enrolled| enrolled.name).as_deref(), Ok("shop-1"));
    Ok(())
}

#[tokio::test]
async fn the_list_pages_through_all_that_wait_once() -> Result<()> {
    let fixture = Fixture::new().await?;
    token(&fixture, 100, "shop-{key}").await?;
    let mut waiting = Vec::new();
    for key in 10..17 {
        waiting.push(waits(&fixture, key).await?.id);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (rows, count) = fixture.store.app.enrollment_list_page(&fixture.first, after, 3).await?;
        assert_eq!(count, 7);
        let Some(last) = rows.last() else { break };
        after = Some(last.id);
        seen.extend(rows.iter().map(|row| row.id));
    }
    assert_eq!(seen, waiting, "the oldest first");
    Ok(())
}

#[tokio::test]
async fn a_yes_outlasts_the_token() -> Result<()> {
    let fixture = Fixture::new().await?;
    let id = token(&fixture, 2, "shop-{n}").await?;
    let waiting = waits(&fixture, 10).await?;
    let enrolled = admit_plainly(&fixture, waiting.id).await?.expect("it waits");
    assert!(fixture.store.app.join_token_revoke(&fixture.first, &actor(), id).await?);
    // The box was switched off meanwhile, and comes for what it was given.
    let again = waits(&fixture, 10).await?;
    assert_eq!((again.state, again.device), (EnrollmentState::Approved, Some(enrolled.device)));
    let collected = fixture.store.system.enrollment_collect(again.id, grant(), SystemTime::now()).await?;
    assert_eq!(collected.expect("it may have it").device, enrolled.device);
    // What it has had it does not get by this token again.
    assert_eq!(come(&fixture, 10).await?.err(), Some(ReasonCode::EnrollmentTokenRevoked));
    Ok(())
}
