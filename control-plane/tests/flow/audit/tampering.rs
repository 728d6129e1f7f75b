//! Somebody owns the database.

use super::{change, faults, report, settled, with_admin};
use crate::support::{Fixture, Stopped};
use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_control_plane::audit::verification::{VerificationError, verify};
use kaliun_control_plane::authority::AuthorityError;
use kaliun_store::{DatabaseAccess, DatabaseUrl, Store};
use kaliun_types::audit::{Hash, Personal, Tools, genesis_message};
use tokio_postgres::Client;

const TOOLS: Tools = Tools { sha256, is_signed: |_key, _message, _signature| false };

fn sha256(bytes: &[u8]) -> Hash {
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

/// Lets somebody tamper with the database, verifies it, and puts all back.
async fn tampered(stopped: &Stopped, statements: &str) -> Result<Vec<String>> {
    tampered_by(stopped, async |admin| Ok(admin.batch_execute(statements).await?)).await
}

async fn tampered_by(stopped: &Stopped, work: impl AsyncFnOnce(&Client) -> Result<()>) -> Result<Vec<String>> {
    with_admin(stopped, async |admin| {
        for table in ["audit", "audit_chain", "audit_checkpoint"] {
            admin.batch_execute(&format!("CREATE TABLE kept_{table} AS TABLE {table}")).await?;
        }
        work(admin).await?;
        let found = faults(&report(&stopped.config).await?);
        for table in ["audit_checkpoint", "audit_chain", "audit"] {
            let back = format!(
                "DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{table}; DROP TABLE kept_{table}"
            );
            admin.batch_execute(&back).await?;
        }
        let left = faults(&report(&stopped.config).await?);
        ensure!(left.is_empty(), "it is not put back: {left:?}");
        Ok(found)
    })
    .await
}

/// Makes all hashes of the chain anew, after a change.
async fn recompute(stopped: &Stopped, admin: &Client) -> Result<()> {
    let url = DatabaseUrl::from(stopped.database.admin_config());
    let store = Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await?.system;
    let organization = *store.audit_organization_list().await?.first().context("an organization")?;
    let mut hash = sha256(&genesis_message(organization));
    for mut entry in store.audit_page(organization, 0, 1_000, sha256).await?.entries {
        for (kind, field) in Personal::ALL.into_iter().zip(&mut entry.personal) {
            field.digest = field.digest_of_text(TOOLS, kind);
        }
        hash = entry.hash_at(TOOLS, &hash, entry.sequence);
        let [name, source, before, after] = &entry.personal;
        let [name, source, before, after] =
            [name, source, before, after].map(|field| field.digest.as_ref().map(<[u8; 32]>::as_slice));
        admin
            .execute(
                "UPDATE audit SET hash = $2, actor_digest = $3, source_digest = $4, before_digest = $5, after_digest = $6 WHERE id = $1",
                &[&entry.id, &hash.as_slice(), &name, &source, &before, &after],
            )
            .await?;
    }
    admin.execute("UPDATE audit_chain SET head_hash = $1", &[&hash.as_slice()]).await?;
    Ok(())
}

/// The entries' numbers: 1 and some for the first start, then those of the changes.
async fn fixture() -> Result<Fixture> {
    let fixture = Fixture::start().await?;
    change(&fixture, 4).await?;
    settled(&fixture).await?;
    change(&fixture, 6).await?;
    settled(&fixture).await?;
    Ok(fixture)
}

#[tokio::test]
async fn whatever_is_done_to_the_rows_is_found_and_named() -> Result<()> {
    let (fixture, ()) = fixture()
        .await?
        .restart_after(async |stopped| {
            let last = report(&stopped.config).await?.last;
            let changed = |entry: u64| {
                format!("entry {entry} was changed, or entry {} was, and its hash made anew", entry - 1)
            };
            // Tampered.
            for column in ["action", "target", "request_id"] {
                let found = tampered(stopped, &format!("UPDATE audit SET {column} = 'other' WHERE sequence = 3")).await?;
                assert_eq!(found, [changed(3)], "{column}");
            }
            for setting in ["at = at + interval '1 microsecond'", "actor_id = gen_random_uuid()", "actor_kind = 1"] {
                let found = tampered(stopped, &format!("UPDATE audit SET {setting} WHERE sequence = 3")).await?;
                assert_eq!(found, [changed(3)], "{setting}");
            }
            let found = tampered(stopped, "UPDATE audit SET after = '{\"description\": \"other\"}' WHERE sequence = 3").await?;
            assert_eq!(found, ["entry 3: its field after was changed"]);
            let found = tampered(stopped, "UPDATE audit SET after = NULL, after_salt = NULL WHERE sequence = 3").await?;
            assert_eq!(found, ["entry 3: its field after is gone, and no entry says that it was erased"]);
            // Deleted.
            let found = tampered(stopped, "DELETE FROM audit WHERE sequence = 3").await?;
            assert_eq!(found, ["entry 3 is missing"]);
            let found = tampered(stopped, "DELETE FROM audit WHERE sequence BETWEEN 2 AND 4").await?;
            assert_eq!(found, ["entries 2 to 4 are missing"]);
            // Reordered.
            let found = tampered(
                stopped,
                "UPDATE audit SET sequence = 1000 WHERE sequence = 3; UPDATE audit SET sequence = 3 WHERE sequence = 5;
                 UPDATE audit SET sequence = 5 WHERE sequence = 1000",
            )
            .await?;
            let expected = [
                "entry 3 is out of order: it stands as entry 5",
                "entry 5 is out of order: it stands as entry 3",
            ];
            assert_eq!(found, expected);
            // Cut off, with less and more of what says so.
            let cut = "DELETE FROM audit WHERE sequence > 5";
            let found = tampered(stopped, cut).await?;
            ensure!(found.iter().all(|fault| fault.starts_with("the chain is cut off after entry 5: ")), "{found:?}");
            assert_eq!(found.len(), 3, "its record, a checkpoint and the file say so: {found:?}");
            let whole = format!(
                "{cut}; DELETE FROM audit_checkpoint WHERE sequence > 5;
                 UPDATE audit_chain SET head_sequence = 5, checkpoint_sequence = 0, head_hash = (SELECT hash FROM audit WHERE sequence = 5)"
            );
            let found = tampered(stopped, &whole).await?;
            assert_eq!(found, [format!("the chain is cut off after entry 5: the checkpoint file knows entry {last}")]);
            Ok(())
        })
        .await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_chain_made_anew_is_found_by_what_was_signed_and_by_what_was_kept() -> Result<()> {
    let (fixture, ()) = fixture()
        .await?
        .restart_after(async |stopped| {
            let last = report(&stopped.config).await?.last;
            let tamper = "UPDATE audit SET action = 'other' WHERE sequence = 3";
            let found = tampered_by(stopped, async |admin| {
                admin.batch_execute(tamper).await?;
                recompute(stopped, admin).await
            })
            .await?;
            let made_anew = |fault: &&String| fault.contains("made anew");
            let told = |who: &str| found.iter().filter(made_anew).any(|fault| fault.contains(who));
            ensure!(
                told("a signed checkpoint has another hash") && told("the checkpoint file has another hash"),
                "{found:?}"
            );
            ensure!(found.iter().any(|fault| fault.contains(&format!("another hash for entry {last}"))), "{found:?}");
            // With the checkpoints of the database taken away, what was kept outside of it is left.
            let found = tampered_by(stopped, async |admin| {
                admin.batch_execute(tamper).await?;
                admin.batch_execute("DELETE FROM audit_checkpoint").await?;
                recompute(stopped, admin).await
            })
            .await?;
            ensure!(found.iter().all(|fault| fault.contains("the checkpoint file has another hash")), "{found:?}");
            ensure!(!found.is_empty());
            Ok(())
        })
        .await?;
    fixture.stop().await
}

/// Somebody puts their own key in the place of ours, to sign what they made anew: the key file does not open it.
#[tokio::test]
async fn another_key_is_not_believed() -> Result<()> {
    let (fixture, ()) = fixture()
        .await?
        .restart_after(async |stopped| {
            with_admin(stopped, async |admin| {
                admin.batch_execute("CREATE TABLE kept AS TABLE audit_key; UPDATE audit_key SET public_key = decode(repeat('04', 65), 'hex')").await?;
                let refused = verify(&stopped.config, &[]).await;
                let is_told = matches!(refused, Err(VerificationError::Authority(AuthorityError::Damaged { .. })));
                ensure!(is_told, "{refused:?}");
                let back = "UPDATE audit_key SET public_key = (SELECT public_key FROM kept); DROP TABLE kept";
                Ok(admin.batch_execute(back).await?)
            })
            .await
        })
        .await?;
    fixture.stop().await
}
