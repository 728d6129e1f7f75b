//! The wall behind the code: the same in Postgres itself, as the role that acts for people inside one tenant.

use super::rows::tenant_tables;
use super::tenant::Tenant;
use crate::support::{Fixture, PATIENCE};
use anyhow::{Context, Result, bail};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// What a statement came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It was allowed, and met so many rows.
    Rows(u64),
    /// The role has no right to it, or a policy forbids the row.
    Denied,
}

/// Acts as the application inside one tenant. Every statement is undone.
struct Inside<'a> {
    admin: &'a Client,
    organization: Uuid,
}

impl Inside<'_> {
    async fn begin(&self) -> Result<()> {
        self.admin.batch_execute("BEGIN; SET LOCAL ROLE kaliun_app").await?;
        let organization = self.organization.to_string();
        self.admin
            .execute(
                "SELECT set_config('kaliun.organization_id', $1, true), set_config('kaliun.reach', '*', true)",
                &[&organization],
            )
            .await?;
        Ok(())
    }

    async fn end<T>(&self, done: Result<T, Error>, rows: impl FnOnce(T) -> u64) -> Result<Outcome> {
        self.admin.batch_execute("ROLLBACK").await?;
        match done {
            Ok(done) => Ok(Outcome::Rows(rows(done))),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(Outcome::Denied),
            Err(error) => Err(error.into()),
        }
    }

    /// How many rows a question finds.
    async fn count(&self, question: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Outcome> {
        self.begin().await?;
        let done = self.admin.query(question, parameters).await;
        self.end(done, |rows| u64::try_from(rows.len()).unwrap_or(u64::MAX)).await
    }

    /// How many rows a statement changes.
    async fn change(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Outcome> {
        self.begin().await?;
        let done = self.admin.execute(statement, parameters).await;
        self.end(done, |changed| changed).await
    }
}

/// What the application may do with its own rows, as the check that it may do nothing with another's is not empty.
#[derive(Debug, Default)]
struct Rights {
    reads: usize,
    updates: usize,
    inserts: usize,
}

async fn one_row(admin: &Client, table: &str, organization: Uuid) -> Result<serde_json::Value> {
    let question = format!("SELECT to_jsonb(t) FROM {table} t WHERE organization_id = $1 LIMIT 1");
    let row = admin.query_opt(&question, &[&organization]).await?;
    Ok(row.with_context(|| format!("the tenant has no row in {table}: give it one"))?.get(0))
}

/// Nothing of `owner` can be seen or changed in a table from inside `stranger`.
async fn check_table(admin: &Client, table: &str, stranger: Uuid, owner: Uuid, rights: &mut Rights) -> Result<()> {
    let inside = Inside { admin, organization: stranger };
    let foreign_row = one_row(admin, table, owner).await?;
    let own_row = one_row(admin, table, stranger).await?;
    let (read, changed) = (
        format!("SELECT 1 FROM {table} WHERE organization_id = $1"),
        format!("UPDATE {table} SET organization_id = organization_id WHERE organization_id = $1"),
    );
    match (inside.count(&read, &[&owner]).await?, inside.count(&read, &[&stranger]).await?) {
        (Outcome::Rows(0), Outcome::Rows(1..)) => rights.reads += 1,
        (Outcome::Denied, Outcome::Denied) => {}
        other => bail!("{table} is read: {other:?}"),
    }
    // Nor is there anybody else's row, whatever it says of itself.
    let others = format!("SELECT 1 FROM {table} WHERE organization_id IS DISTINCT FROM $1");
    let others = inside.count(&others, &[&stranger]).await?;
    assert!(matches!(others, Outcome::Rows(0) | Outcome::Denied), "{table}: {others:?}");

    match (inside.change(&changed, &[&owner]).await?, inside.change(&changed, &[&stranger]).await?) {
        (Outcome::Rows(0), Outcome::Rows(1..)) => rights.updates += 1,
        (Outcome::Denied, Outcome::Denied) => {}
        other => bail!("{table} is changed: {other:?}"),
    }
    let moved = format!("UPDATE {table} SET organization_id = $1 WHERE organization_id = $2");
    assert_eq!(inside.change(&moved, &[&owner, &stranger]).await?, Outcome::Denied, "{table}: a row is given away");
    let taken = inside.change(&moved, &[&stranger, &owner]).await?;
    assert!(matches!(taken, Outcome::Rows(0) | Outcome::Denied), "{table}: a row is taken: {taken:?}");

    let removed = inside.change(&format!("DELETE FROM {table} WHERE organization_id = $1"), &[&owner]).await?;
    assert!(matches!(removed, Outcome::Rows(0) | Outcome::Denied), "{table}: {removed:?}");
    let emptied = inside.change(&format!("TRUNCATE {table} CASCADE"), &[]).await?;
    assert_eq!(emptied, Outcome::Denied, "{table}");

    // The policy is asked before any index, so a copy of a row tells who forbids it.
    let insert = format!(
        "INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{table}, $1) ON CONFLICT DO NOTHING"
    );
    assert_eq!(inside.change(&insert, &[&foreign_row]).await?, Outcome::Denied, "{table}: a foreign row is written");
    match inside.change(&insert, &[&own_row]).await? {
        Outcome::Rows(_) => rights.inserts += 1,
        Outcome::Denied => {}
    }
    Ok(())
}

/// Waits until the audit of each is sealed and signed for the first time, so that there is something to see.
async fn until_signed(admin: &Client, organizations: &[Uuid]) -> Result<()> {
    let question = "SELECT count(DISTINCT organization_id) FROM audit_checkpoint WHERE organization_id = ANY($1)";
    let wanted = i64::try_from(organizations.len())?;
    let signed = async {
        while admin.query_one(question, &[&organizations]).await?.get::<_, i64>(0) < wanted {
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, signed).await?
}

#[tokio::test]
async fn postgres_keeps_tenants_apart_by_itself() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let admin = fixture.admin().await?;
    until_signed(&admin, &[first.organization, second.organization]).await?;
    for (stranger, owner) in [(&second, &first), (&first, &second)] {
        let mut rights = Rights::default();
        for table in tenant_tables(&admin).await? {
            check_table(&admin, &table, stranger.organization, owner.organization, &mut rights)
                .await
                .with_context(|| format!("{table} as {}", stranger.word))?;
        }
        assert!(rights.reads >= 9 && rights.updates >= 3 && rights.inserts >= 4, "it may do too little: {rights:?}");
        let inside = Inside { admin: &admin, organization: stranger.organization };
        for (table, own_name) in [("organization", "name"), ("account", "email")] {
            let all = inside.count(&format!("SELECT 1 FROM {table}"), &[]).await?;
            let pattern = format!("{}%", stranger.word);
            let own = format!("SELECT 1 FROM {table} WHERE {own_name} LIKE $1");
            let own = inside.count(&own, &[&pattern]).await?;
            assert!(matches!(own, Outcome::Rows(1..)) && own == all, "{table}: {own:?} of {all:?}");
        }
    }
    fixture.stop().await
}

#[tokio::test]
async fn partitions_have_no_door_of_their_own() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let admin = fixture.admin().await?;
    let partitions = admin
        .query("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname", &[])
        .await?;
    assert!(!partitions.is_empty());
    let inside = Inside { admin: &admin, organization: first.organization };
    for partition in partitions {
        let partition: String = partition.get(0);
        assert_eq!(inside.count(&format!("SELECT 1 FROM {partition}"), &[]).await?, Outcome::Denied, "{partition}");
    }
    // Through the table they belong to they are read.
    let read = inside.count("SELECT 1 FROM sample_head", &[]).await?;
    assert_eq!(read, Outcome::Rows(3));
    fixture.stop().await
}
