//! Personal fields go, and the chain holds.

use super::sealer::{Sealer, rows, verify};
use crate::support::Fixture;
use anyhow::Result;
use kaliun_types::id::AccountId;
use tokio_postgres::Client;

const ADDRESS: &str = "Ada@example.org";

/// Somebody who did something, of whom something was said, and whose address stands in another's change.
async fn person(fixture: &Fixture) -> Result<AccountId> {
    let (account, organization) = (AccountId::new(), fixture.first.organization());
    let email = ADDRESS;
    fixture
        .admin
        .execute(
            "INSERT INTO account (id, email, password_hash, confirmed_at) VALUES ($1, $2, 'none', now())",
            &[&account, &email],
        )
        .await?;
    let text = account.to_string();
    let insert = "INSERT INTO audit (organization_id, actor_kind, actor_id, actor, source_address, action, target, before, after, request_id)";
    let changes = [
        format!("1, '{text}', '{ADDRESS}', '192.0.2.7', 'device.update', 'device/1', '{{\"name\": \"a\"}}', '{{\"name\": \"b\"}}'"),
        format!("3, NULL, 'control-plane', '', 'account.update', 'account/{text}', NULL, '{{\"name\": \"Ada\"}}'"),
        "2, NULL, 'token:x', '192.0.2.8', 'invitation.create', 'invitation/1', NULL, '{\"to\": \"ada@EXAMPLE.org\"}'".to_owned(),
        "2, NULL, 'token:x', '192.0.2.8', 'invitation.create', 'invitation/2', NULL, '{\"to\": \"not-ada@example.org\"}'".to_owned(),
    ];
    for change in changes {
        fixture.admin.execute(&format!("{insert} VALUES ($1, {change}, 'request')"), &[&organization]).await?;
    }
    Ok(account)
}

/// All that is left of the person in the audit.
async fn mentions(admin: &Client) -> Result<Vec<String>> {
    let question = "SELECT to_jsonb(a)::text FROM audit a
                    WHERE to_jsonb(a)::text ~* '[\" ]ada@example.org' OR to_jsonb(a)::text ~ '(Ada|192.0.2.7)'";
    Ok(admin.query(question, &[]).await?.iter().map(|row| row.get(0)).collect())
}

#[tokio::test]
async fn what_names_a_person_goes_and_the_chain_holds() -> Result<()> {
    for is_sealed in [true, false] {
        let fixture = Fixture::new().await?;
        let account = person(&fixture).await?;
        let sealer = Sealer::new(&fixture, 100);
        if is_sealed {
            sealer.seal_all(fixture.first.organization()).await?;
        }
        assert_eq!(mentions(&fixture.admin).await?.len(), 3);
        assert_eq!(fixture.store.system.audit_personal_erase(account).await?, 3);
        assert_eq!(mentions(&fixture.admin).await?, [""; 0]);
        let kept: i64 = fixture
            .admin
            .query_one("SELECT count(*) FROM audit WHERE before::text ~ '\"a\"' OR after::text ~ 'not-ada'", &[])
            .await?
            .get(0);
        assert_eq!(kept, 2, "what names nobody, or somebody else, stays");
        // The word of it counts before it is sealed, and after.
        for _ in 0..2 {
            let report = verify(&fixture, &fixture.first).await?;
            assert!(report.is_good(), "{is_sealed}: {:?}", report.faults);
            sealer.seal_all(fixture.first.organization()).await?;
        }
        let report = verify(&fixture, &fixture.first).await?;
        assert_eq!((report.entries, report.unsealed), (6, 0), "one is of the first start, and one of the erasure");
        // Once more finds nothing, and says nothing.
        assert_eq!(fixture.store.system.audit_personal_erase(account).await?, 0);
        assert_eq!(rows(&fixture.admin, fixture.first.organization()).await?.len(), 6);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_erased_without_a_word_is_found() -> Result<()> {
    let fixture = Fixture::new().await?;
    person(&fixture).await?;
    Sealer::new(&fixture, 100).seal_all(fixture.first.organization()).await?;
    fixture.admin.batch_execute("UPDATE audit SET actor = NULL, actor_salt = NULL WHERE target = 'device/1'").await?;
    let report = verify(&fixture, &fixture.first).await?;
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["entry 2: its field actor is gone, and no entry says that it was erased"]);
    Ok(())
}
