//! The outbox: each mail is claimed once at a time, tried again when it is due, and bounded.

use crate::support::Fixture;
use anyhow::{Context, Result};
use kaliun_domain::mail::{MAILS_AN_HOUR, MAILS_WAITING, Mail, MailState};
use kaliun_store::{ClaimedMail, MailRow, NewMail, StoreError};
use kaliun_types::id::{AccountId, OrganizationId};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

const LEASE: Duration = Duration::from_secs(60);

fn to(recipient: &str) -> NewMail<'_> {
    NewMail { organization: None, recipient, mail: Mail::NoAccount {}, subject: None }
}

fn invitation(organization: OrganizationId, recipient: &str) -> NewMail<'_> {
    let mail = Mail::InvitedToOrganization {
        organization: "Acme \u{2013} Köln".to_owned(),
        role: "operator".to_owned(),
        inviter: "Ada".to_owned(),
    };
    let subject = Some(AccountId::new().as_uuid());
    NewMail { organization: Some(organization), recipient, mail, subject }
}

async fn only(fixture: &Fixture) -> Result<ClaimedMail> {
    let claimed = fixture.store.system.mail_claim_batch(LEASE, 10).await?;
    let [one] = claimed.try_into().map_err(|claimed| anyhow::anyhow!("claimed {claimed:?}"))?;
    Ok(one)
}

async fn listed(fixture: &Fixture) -> Result<MailRow> {
    let page = fixture.store.system.mail_list_page(None, None, 1).await?;
    page.into_iter().next().context("there is no mail")
}

/// Lets the next attempt, or the end of a claim, be now.
async fn let_it_be_due(fixture: &Fixture) -> Result<()> {
    fixture.admin.execute("UPDATE mail SET next_attempt_at = now()", &[]).await?;
    Ok(())
}

#[tokio::test]
async fn two_replicas_claim_each_mail_once() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    for number in 0..40 {
        system.mail_insert(to(&format!("{number}@example.org"))).await?;
    }
    let claims = (0..8).map(|_| system.mail_claim_batch(LEASE, 6));
    let mut claimed = Vec::new();
    let (one, two, three, four, five, six, seven, eight) = {
        let mut claims = claims.into_iter();
        let mut next = || claims.next().context("eight were made");
        tokio::join!(next()?, next()?, next()?, next()?, next()?, next()?, next()?, next()?)
    };
    for batch in [one, two, three, four, five, six, seven, eight] {
        claimed.extend(batch?);
    }
    claimed.extend(system.mail_claim_batch(LEASE, 40).await?);
    let distinct: BTreeSet<_> = claimed.iter().map(|claimed| claimed.id).collect();
    assert_eq!((claimed.len(), distinct.len()), (40, 40));
    assert!(claimed.iter().all(|claimed| claimed.attempts == 1));
    assert!(system.mail_claim_batch(LEASE, 40).await?.is_empty(), "a claim lasts");
    Ok(())
}

#[tokio::test]
async fn what_a_dead_replica_had_claimed_is_sent_by_another() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    system.mail_insert(to("a@example.org")).await?;
    let lost = only(&fixture).await?;
    let_it_be_due(&fixture).await?;
    let again = only(&fixture).await?;
    assert_eq!((again.id, again.attempts), (lost.id, 2));
    // The one that was thought dead cannot put it off, or give it up.
    assert!(!system.mail_failed(&lost, "late", None).await?);
    assert_eq!(listed(&fixture).await?.state, MailState::Waiting);
    // But what it did send is sent.
    assert!(system.mail_sent(&lost).await?);
    assert!(!system.mail_sent(&again).await?);
    let_it_be_due(&fixture).await?;
    assert!(system.mail_claim_batch(LEASE, 10).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_failed_mail_is_due_when_it_was_said_and_then_given_up() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    system.mail_insert(invitation(fixture.first.organization(), "Ada@Example.org")).await?;
    let first = only(&fixture).await?;
    assert_eq!(first.recipient, "Ada@Example.org");
    assert!(
        matches!(&first.mail, Some(Mail::InvitedToOrganization { organization, .. }) if organization.contains("Köln"))
    );
    let later = SystemTime::now() + Duration::from_secs(3600);
    assert!(system.mail_failed(&first, "451 try later\0", Some(later)).await?);
    assert!(system.mail_claim_batch(LEASE, 10).await?.is_empty(), "it is not due");
    let row = listed(&fixture).await?;
    assert_eq!((row.state, row.attempts, row.last_error.as_deref()), (MailState::Waiting, 1, Some("451 try later")));
    assert!(row.next_attempt_at.context("it is tried again")? > SystemTime::now() + Duration::from_secs(3500));
    assert_eq!(row.organization.context("it is of one")?.1, "First");
    let_it_be_due(&fixture).await?;
    let second = only(&fixture).await?;
    assert!(system.mail_failed(&second, &"x".repeat(2_000), None).await?);
    let row = listed(&fixture).await?;
    assert_eq!((row.state, row.next_attempt_at), (MailState::GivenUp, None));
    assert!(row.ended_at.is_some());
    assert_eq!(row.last_error.context("a reason")?.len(), 500);
    let_it_be_due(&fixture).await?;
    assert!(system.mail_claim_batch(LEASE, 10).await?.is_empty());
    assert_eq!(system.mail_backlog().await?.waiting, 0);
    Ok(())
}

#[tokio::test]
async fn one_address_gets_so_many_an_hour_and_notices_all_the_same() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let sent = futures(20, |number| {
        let recipient = if number % 2 == 0 { "victim@example.org" } else { "Victim@Example.ORG" };
        system.mail_insert(to(recipient))
    });
    let results = sent.await;
    let refused = results.iter().filter(|result| {
        matches!(result, Err(StoreError::TooMany { what: "mails to one address within an hour", .. }))
    });
    assert_eq!(refused.count(), 20 - usize::from(MAILS_AN_HOUR), "{results:?}");
    let in_organization = fixture
        .store
        .app
        .mail_insert(&fixture.second, invitation(fixture.second.organization(), "victim@example.org"))
        .await;
    assert!(matches!(in_organization, Err(StoreError::TooMany { .. })), "another organization's count as well");
    system.mail_insert(to("other@example.org")).await?;
    let notice = NewMail { mail: Mail::PasswordChanged {}, ..to("victim@example.org") };
    system.mail_insert(notice).await?;
    fixture.admin.execute("UPDATE mail SET created_at = now() - interval '61 minutes'", &[]).await?;
    system.mail_insert(to("victim@example.org")).await?;
    Ok(())
}

/// All of them at once, in order of their numbers.
async fn futures<F: Future>(count: usize, make: impl Fn(usize) -> F) -> Vec<F::Output> {
    let mut pending: Vec<_> = (0..count).map(|number| (Box::pin(make(number)), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pending {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if pending.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn so_many_may_wait_and_notices_all_the_same() -> Result<()> {
    let fixture = Fixture::new().await?;
    let fill = "INSERT INTO mail (id, recipient, kind, parameters)
                SELECT gen_random_uuid(), n || '@example.org', 'no_account', '{}' FROM generate_series(1, $1::integer) AS n";
    fixture.admin.execute(fill, &[&i32::from(MAILS_WAITING)]).await?;
    let system = &fixture.store.system;
    let refused = system.mail_insert(to("late@example.org")).await;
    assert!(matches!(refused, Err(StoreError::TooMany { what: "mails that wait to be sent", .. })), "{refused:?}");
    system.mail_insert(NewMail { mail: Mail::PasswordChanged {}, ..to("late@example.org") }).await?;
    let oldest = system.mail_backlog().await?;
    assert_eq!(oldest.waiting, u64::from(MAILS_WAITING) + 1);
    assert!(oldest.oldest_at.is_some());
    Ok(())
}

#[tokio::test]
async fn the_application_puts_in_mails_of_its_organization_and_reads_none() -> Result<()> {
    let fixture = Fixture::new().await?;
    let own = fixture.first.organization();
    fixture.store.app.mail_insert(&fixture.first, invitation(own, "a@example.org")).await?;
    let foreign = fixture.store.app.mail_insert(&fixture.second, invitation(own, "b@example.org")).await;
    assert!(matches!(foreign, Err(StoreError::Database { .. })), "{foreign:?}");
    let nobodys = fixture.store.app.mail_insert(&fixture.second, to("b@example.org")).await;
    assert!(matches!(nobodys, Err(StoreError::Database { .. })), "{nobodys:?}");
    for statement in ["SELECT recipient FROM mail", "SELECT subject FROM mailed_secret", "UPDATE mail SET attempts = 9"]
    {
        fixture.admin.batch_execute("BEGIN; SET LOCAL ROLE kaliun_app").await?;
        let refused = fixture.admin.query(statement, &[]).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("db error")), "{statement}");
        fixture.admin.batch_execute("ROLLBACK").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_mail_with_a_secret_needs_what_it_is_about() -> Result<()> {
    let fixture = Fixture::new().await?;
    let new = NewMail { mail: Mail::ResetPassword {}, ..to("a@example.org") };
    let refused = fixture.store.system.mail_insert(new).await;
    assert!(matches!(refused, Err(StoreError::Inconsistent { column: "subject", .. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn mails_of_a_newer_version_wait_for_it_and_damaged_ones_are_told() -> Result<()> {
    let fixture = Fixture::new().await?;
    let put =
        "INSERT INTO mail (id, recipient, kind, parameters) VALUES (gen_random_uuid(), 'a@example.org', $1, '{}')";
    fixture.admin.execute(put, &[&"from_the_future"]).await?;
    assert!(fixture.store.system.mail_claim_batch(LEASE, 10).await?.is_empty());
    assert_eq!(listed(&fixture).await?.kind, "from_the_future");
    fixture.admin.execute(put, &[&"support_asks"]).await?;
    assert_eq!(only(&fixture).await?.mail, None, "its fields are missing");
    Ok(())
}

#[tokio::test]
async fn lists_are_paged_by_state() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    for number in 0..5 {
        system.mail_insert(to(&format!("{number}@example.org"))).await?;
    }
    let mut claimed = system.mail_claim_batch(LEASE, 3).await?;
    claimed.sort_by_key(|claimed| claimed.id);
    system.mail_sent(claimed.first().context("three")?).await?;
    system.mail_failed(claimed.get(1).context("three")?, "550 no such user", None).await?;
    let count = async |state| anyhow::Ok(system.mail_list_page(state, None, 10).await?.len());
    assert_eq!(count(None).await?, 5);
    assert_eq!(count(Some(MailState::Sent)).await?, 1);
    assert_eq!(count(Some(MailState::GivenUp)).await?, 1);
    assert_eq!(count(Some(MailState::Waiting)).await?, 3);
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = system.mail_list_page(None, before, 2).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|one, next| one > next), "newest first");
    Ok(())
}

#[tokio::test]
async fn mails_are_given_up_after_days_and_forgotten_after_weeks() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    for number in 0..4 {
        system.mail_insert(to(&format!("{number}@example.org"))).await?;
    }
    let horizon = SystemTime::now() - Duration::from_secs(3600);
    assert_eq!(system.mail_give_up_before(horizon, 10).await?, 0);
    assert_eq!(system.mail_delete_before(horizon, 10).await?, 0);
    let age = "UPDATE mail SET created_at = created_at - interval '2 hours' WHERE recipient < '3'";
    fixture.admin.execute(age, &[]).await?;
    assert_eq!(system.mail_give_up_before(horizon, 2).await?, 2);
    assert_eq!(system.mail_give_up_before(horizon, 10).await?, 1);
    let given_up = system.mail_list_page(Some(MailState::GivenUp), None, 10).await?;
    assert!(
        given_up.iter().all(|row| row.last_error.as_deref().is_some_and(|reason| reason.contains("no mail server")))
    );
    assert_eq!(system.mail_delete_before(horizon, 2).await?, 2);
    assert_eq!(system.mail_delete_before(horizon, 10).await?, 1);
    assert_eq!(system.mail_backlog().await?.waiting, 1);
    Ok(())
}
