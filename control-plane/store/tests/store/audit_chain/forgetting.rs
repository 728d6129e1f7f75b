//! Old rows go, and what is left is proved from there on.

use super::change;
use super::sealer::{Sealer, key_id, rows, sha256, verify};
use crate::support::Fixture;
use anyhow::{Context, Result};
use kaliun_store::AuditKeyRow;
use kaliun_types::audit::{Checkpoint, Cut};
use std::time::{Duration, SystemTime};

const KEY: &[u8] = b"a public key";

async fn with_key(fixture: &Fixture) -> Result<()> {
    let key = AuditKeyRow { number: 1, public_key: KEY.to_vec(), sealed_key: b"sealed".to_vec() };
    Ok(fixture.store.system.audit_key_begin(&key).await?)
}

/// Seals all that waits and signs it.
async fn sign(fixture: &Fixture) -> Result<()> {
    let organization = fixture.first.organization();
    let sealer = Sealer::new(fixture, 100);
    sealer.seal_all(organization).await?;
    let taken = sealer.take(organization, Duration::ZERO).await?.context("nobody has it")?;
    let mut checkpoint = Checkpoint {
        organization,
        incarnation: taken.incarnation,
        sequence: taken.head.sequence,
        hash: taken.head.hash,
        at_us: taken.now_us,
        key_id: key_id(KEY),
        signature: Vec::new(),
    };
    checkpoint.signature = sha256(&checkpoint.message()).to_vec();
    assert!(sealer.sign(&taken, &checkpoint).await?);
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_says_what_it_said_when_it_was_signed() -> Result<()> {
    let fixture = Fixture::new().await?;
    with_key(&fixture).await?;
    sign(&fixture).await?;
    change(&fixture, &fixture.first, "more").await?;
    sign(&fixture).await?;
    let report = verify(&fixture, &fixture.first).await?;
    assert!(report.is_good(), "{:?}", report.faults);
    assert_eq!((report.checkpoints, report.last), (2, 2));
    let nobody = kaliun_types::id::OrganizationId::from_uuid(uuid::Uuid::nil());
    let all = fixture.store.system.audit_checkpoint_list_since((0, nobody, 0), 10, key_id).await?;
    assert_eq!(all.iter().map(|checkpoint| checkpoint.sequence).collect::<Vec<_>>(), [1, 2]);
    let first = &all[0];
    let place = (first.at_us, first.organization, first.sequence);
    assert_eq!(fixture.store.system.audit_checkpoint_list_since(place, 10, key_id).await?, all[1..]);
    Ok(())
}

#[tokio::test]
async fn a_beginning_is_cut_at_a_checkpoint_and_the_rest_stays_proved() -> Result<()> {
    let fixture = Fixture::new().await?;
    let (organization, system) = (fixture.first.organization(), &fixture.store.system);
    with_key(&fixture).await?;
    for number in 0..9 {
        change(&fixture, &fixture.first, &format!("token {number}")).await?;
        if number % 3 == 2 {
            sign(&fixture).await?;
        }
    }
    let horizon = SystemTime::now() + Duration::from_secs(1);
    assert_eq!(system.audit_cut_list_due(SystemTime::now() - Duration::from_secs(60), 10).await?, []);
    // Checkpoints at 4, 7 and 10: the last is too young.
    fixture
        .admin
        .batch_execute("UPDATE audit_checkpoint SET signed_at = now() + interval '1 h' WHERE sequence = 10")
        .await?;
    let due = system.audit_cut_list_due(horizon, 10).await?;
    assert_eq!(due.iter().map(|due| (due.organization, due.sequence)).collect::<Vec<_>>(), [(organization, 7)]);
    let mut cut = Cut {
        organization,
        sequence: due[0].sequence,
        hash: due[0].hash,
        at_us: due[0].now_us,
        key_id: key_id(KEY),
        signature: Vec::new(),
    };
    cut.signature = sha256(&cut.message()).to_vec();
    assert!(system.audit_cut(&cut, 1).await?);
    assert!(!system.audit_cut(&cut, 1).await?, "it is said already");
    // Whoever was killed here left more rows than are needed.
    let report = verify(&fixture, &fixture.first).await?;
    assert_eq!((report.first, report.last, report.entries), (8, 10, 3));
    assert_eq!(system.audit_delete_cut(organization, 5).await?, 5);
    assert_eq!(system.audit_delete_cut(organization, 5).await?, 2);
    assert_eq!(system.audit_delete_cut(organization, 5).await?, 0);
    assert_eq!(rows(&fixture.admin, organization).await?.len(), 3);
    assert_eq!(system.audit_cut_list_due(horizon, 10).await?, []);
    fixture.admin.batch_execute("UPDATE audit_checkpoint SET signed_at = now() WHERE sequence = 10").await?;
    // The checkpoint that was moved does not fit its signature any more, and that is all.
    let faults: Vec<String> = verify(&fixture, &fixture.first).await?.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "the signature of the checkpoint at entry 10 is wrong (a signed checkpoint): the control plane did not make it"
        ]
    );
    Ok(())
}
