//! Secrets in mails: good once, for a while, and void as soon as somebody says so.

use crate::support::{Fixture, hash};
use anyhow::{Context, Result};
use kaliun_domain::mail::{Mail, MailState};
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_store::{ClaimedMail, NewMail, SystemStore};
use kaliun_types::id::AccountId;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(60);

fn in_an_hour() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

/// A mail about somebody, claimed to be sent.
async fn claimed(system: &SystemStore, mail: Mail, subject: Uuid) -> Result<ClaimedMail> {
    let new = NewMail { organization: None, recipient: "ada@example.org", mail, subject: Some(subject) };
    let id = system.mail_insert(new).await?;
    let batch = system.mail_claim_batch(LEASE, 10).await?;
    batch.into_iter().find(|claimed| claimed.id == id).context("it is not due")
}

#[tokio::test]
async fn a_secret_is_good_once_and_for_its_purpose() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let account = AccountId::new().as_uuid();
    let mail = claimed(system, Mail::ResetPassword {}, account).await?;
    assert!(system.mail_secret_issue(&mail, SecretPurpose::ResetPassword, &hash(1), in_an_hour()).await?);
    assert_eq!(system.mailed_secret_take(SecretPurpose::ConfirmAddress, &hash(1)).await?, None);
    assert_eq!(system.mailed_secret_take(SecretPurpose::ResetPassword, &hash(2)).await?, None);
    assert_eq!(system.mailed_secret_look(SecretPurpose::ResetPassword, &hash(1)).await?, Some(account));
    let take = || system.mailed_secret_take(SecretPurpose::ResetPassword, &[1; 32]);
    let (one, two) = tokio::join!(take(), take());
    let taken = [one?, two?];
    assert_eq!(taken.iter().flatten().collect::<Vec<_>>(), [&account], "by one of two at once");
    assert_eq!(take().await?, None);
    assert_eq!(system.mailed_secret_look(SecretPurpose::ResetPassword, &hash(1)).await?, None);
    Ok(())
}

#[tokio::test]
async fn an_expired_secret_is_not_good_and_is_deleted() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let account = AccountId::new().as_uuid();
    let mail = claimed(system, Mail::ConfirmAddress {}, account).await?;
    let a_moment_ago = SystemTime::now() - Duration::from_secs(1);
    assert!(system.mail_secret_issue(&mail, SecretPurpose::ConfirmAddress, &hash(1), a_moment_ago).await?);
    assert!(system.mail_secret_issue(&mail, SecretPurpose::ConfirmAddress, &hash(2), in_an_hour()).await?);
    assert_eq!(system.mailed_secret_look(SecretPurpose::ConfirmAddress, &hash(1)).await?, None);
    assert_eq!(system.mailed_secret_take(SecretPurpose::ConfirmAddress, &hash(1)).await?, None);
    assert_eq!(system.mailed_secret_delete_expired(10).await?, 1);
    assert_eq!(system.mailed_secret_delete_expired(10).await?, 0);
    assert_eq!(system.mailed_secret_take(SecretPurpose::ConfirmAddress, &hash(2)).await?, Some(account), "the retry's");
    Ok(())
}

#[tokio::test]
async fn void_is_what_is_out_and_what_still_waits() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let (account, other) = (AccountId::new().as_uuid(), AccountId::new().as_uuid());
    let mail = claimed(system, Mail::ResetPassword {}, account).await?;
    assert!(system.mail_secret_issue(&mail, SecretPurpose::ResetPassword, &hash(1), in_an_hour()).await?);
    let others = claimed(system, Mail::ResetPassword {}, other).await?;
    assert!(system.mail_secret_issue(&others, SecretPurpose::ResetPassword, &hash(2), in_an_hour()).await?);
    let confirm = claimed(system, Mail::ConfirmAddress {}, account).await?;
    system.mailed_secret_void(SecretPurpose::ResetPassword, account).await?;
    assert_eq!(system.mailed_secret_take(SecretPurpose::ResetPassword, &hash(1)).await?, None);
    assert!(!system.mail_secret_issue(&mail, SecretPurpose::ResetPassword, &hash(3), in_an_hour()).await?);
    assert_eq!(system.mailed_secret_take(SecretPurpose::ResetPassword, &hash(3)).await?, None);
    // What is for another purpose, or about somebody else, is untouched.
    assert!(system.mail_secret_issue(&confirm, SecretPurpose::ConfirmAddress, &hash(4), in_an_hour()).await?);
    assert_eq!(system.mailed_secret_take(SecretPurpose::ResetPassword, &hash(2)).await?, Some(other));
    let given_up = system.mail_list_page(Some(MailState::GivenUp), None, 10).await?;
    assert_eq!(given_up.iter().map(|row| row.id).collect::<Vec<_>>(), [mail.id]);
    Ok(())
}

#[tokio::test]
async fn only_who_holds_the_claim_makes_a_secret() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let account = AccountId::new().as_uuid();
    let lost = claimed(system, Mail::ConfirmAddress {}, account).await?;
    fixture.admin.execute("UPDATE mail SET next_attempt_at = now()", &[]).await?;
    let again = system.mail_claim_batch(LEASE, 10).await?;
    assert!(!system.mail_secret_issue(&lost, SecretPurpose::ConfirmAddress, &hash(1), in_an_hour()).await?);
    let again = again.first().context("it is due again")?;
    assert!(system.mail_secret_issue(again, SecretPurpose::ConfirmAddress, &hash(1), in_an_hour()).await?);
    Ok(())
}
