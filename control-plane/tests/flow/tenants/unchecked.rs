//! The same walk with the code's own checks taken out of its statements: row-level security alone keeps the tenants apart. And the same without
//! that, too, to see that the walk would find something.

use super::calls::Caller;
use super::find_nothing;
use super::tenant::Tenant;
use crate::support::database_proxy::{DatabaseProxy, Rewriting};
use crate::support::{Fixture, claim_code};
use anyhow::{Context, Result, bail};
use kaliun_domain::role::Role;
use kaliun_store::DatabaseUrl;
use std::path::PathBuf;
use tokio_postgres::config::Host;

/// Conditions by which the code says whose rows it means, each as the end of a column's name.
const OWNERS: [&str; 2] = ["organization_id = $", "account_id = $"];

/// What a condition follows; anything else is an assignment.
const CONNECTIVES: [&str; 4] = ["where", "and", "or", "on"];

/// A statement without its conditions on whose rows they are, and on the homes that a scope reaches. The parameters stay, for the server sends
/// them.
fn without_checks(statement: &str) -> String {
    let mut text = statement.to_owned();
    for owner in OWNERS {
        let mut done = 0;
        while let Some(found) = text.get(done..).and_then(|rest| rest.find(owner)) {
            let at = done + found;
            let begin = text.get(..at).map_or(0, |before| {
                before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).map_or(0, |last| last + 1)
            });
            let digits = text
                .get(at + owner.len()..)
                .map_or(0, |rest| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
            let end = at + owner.len() + digits;
            let is_condition = text.get(..begin).is_some_and(|before| {
                let before = before.trim_end();
                before.ends_with('(')
                    || before
                        .rsplit(|c: char| c.is_whitespace() || c == '(')
                        .next()
                        .is_some_and(|word| CONNECTIVES.contains(&word.to_ascii_lowercase().as_str()))
            });
            let parameter = text.get(at + owner.len() - 1..end).unwrap_or_default().to_owned();
            if is_condition {
                let anything = format!("({parameter}::uuid IS NOT NULL)");
                text.replace_range(begin..end, &anything);
                done = begin + anything.len();
            } else {
                done = end;
            }
        }
    }
    // `installation_id = ANY($3)` beside `$3::uuid[] IS NULL`: the second becomes true.
    for number in 1..=20 {
        text = text.replace(&format!("${number}::uuid[] IS NULL OR"), &format!("${number}::uuid[] IS NULL OR true OR"));
    }
    text
}

/// The same, and the roles are not taken: the server acts as a superuser, whom nothing keeps out.
fn without_anything(statement: &str) -> String {
    let text = without_checks(statement);
    text.replace("SET LOCAL ROLE kaliun_app", "SELECT 1").replace("SET LOCAL ROLE kaliun_system", "SELECT 1")
}

/// Takes a server to where its statements are rewritten.
async fn behind(fixture: Fixture, rewriting: Rewriting) -> Result<(Fixture, DatabaseProxy)> {
    let config = fixture.database.admin_config();
    let folder: PathBuf = match config.get_hosts().first() {
        Some(Host::Unix(folder)) => folder.clone(),
        other => bail!("the test's database is at {other:?}"),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let proxy = DatabaseProxy::start(folder, port, rewriting).await?;
    let mut url = tokio_postgres::Config::new();
    url.host("127.0.0.1").port(proxy.port()).user(config.get_user().unwrap_or("postgres"));
    url.dbname(config.get_dbname().context("a database")?);
    Ok((fixture.restart_on(DatabaseUrl::from(url)).await?, proxy))
}

/// Who walks. Each in tenants of their own, for one would find what the other brought in.
#[derive(Debug, Clone, Copy)]
enum Who {
    Token,
    Person,
}

/// Lets somebody of the second tenant try everything of the first.
async fn walk(who: Who, rewriting: Rewriting) -> Result<usize> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let (fixture, proxy) = Box::pin(behind(fixture, rewriting)).await?;
    let waiting = claim_code(&fixture, "waiting").await?;
    let caller = match who {
        Who::Token => Caller::new(&fixture, &second, Role::Admin, &waiting).await?,
        Who::Person => Caller::person(&fixture, &second, Role::Admin, &waiting).await?,
    };
    find_nothing(&fixture, &caller, &first).await?;
    let rewritten = proxy.rewritten();
    fixture.stop().await?;
    Ok(rewritten)
}

#[tokio::test]
async fn row_level_security_alone_keeps_tenants_apart() -> Result<()> {
    for who in [Who::Token, Who::Person] {
        let rewritten = Box::pin(walk(who, without_checks)).await?;
        assert!(rewritten > 100, "only {rewritten} statements had a check to take out");
    }
    Ok(())
}

/// The walk is worth something: without either wall it finds the other tenant.
#[test]
fn without_both_walls_the_walk_finds_the_other_tenant() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let walked = std::panic::catch_unwind(|| {
        runtime.block_on(Box::pin(walk(Who::Token, without_anything))).map_err(|error| format!("{error:#}"))
    });
    let panic = match walked {
        Err(panic) => panic,
        Ok(other) => bail!("it found nothing: {other:?}"),
    };
    let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(said.contains("northwind") || said.contains("tells that it exists"), "{said}");
    Ok(())
}

#[test]
fn conditions_are_taken_out_and_assignments_stay() {
    let check = |statement: &str, expected: &str| assert_eq!(without_checks(statement), expected);
    check("SELECT 1 WHERE id = $1 AND d.organization_id = $2", "SELECT 1 WHERE id = $1 AND ($2::uuid IS NOT NULL)");
    check(
        "UPDATE t SET state = 2, organization_id = $12 WHERE id = $1",
        "UPDATE t SET state = 2, organization_id = $12 WHERE id = $1",
    );
    check(
        "UPDATE t SET organization_id = $1 WHERE organization_id = $2",
        "UPDATE t SET organization_id = $1 WHERE ($2::uuid IS NOT NULL)",
    );
    check("WHERE (organization_id = $1 OR b)", "WHERE (($1::uuid IS NOT NULL) OR b)");
    check("WHERE m.account_id = $1\n AND x", "WHERE ($1::uuid IS NOT NULL)\n AND x");
    check("WHERE ($2::uuid[] IS NULL OR a = ANY($2))", "WHERE ($2::uuid[] IS NULL OR true OR a = ANY($2))");
}
