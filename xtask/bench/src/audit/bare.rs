//! The same change by SQL alone, in one round trip: with its audit row, and with a chain that it makes by itself.

use super::Pace;
use crate::database::Database;
use crate::tasks::Tasks;
use anyhow::Context as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::{Client, NoTls};

/// Who makes the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chain {
    /// The sealer, afterwards.
    Sealed,
    /// The change, which waits for the one before it to be committed.
    Inline,
}

/// Makes the changes. Answers how long each took.
pub(super) async fn measure(pace: Pace, database: &Database, chain: Chain) -> anyhow::Result<Vec<Duration>> {
    let tasks = Tasks::default();
    let setup = connect(database, &tasks).await?;
    let row = setup.query_one("SELECT id::text FROM organization WHERE runs_platform", &[]).await?;
    let organization: String = row.get(0);
    // Full-sized pages of a table with one row in it: each change leaves a dead version of it behind.
    setup
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS bench_chain (id int PRIMARY KEY, sequence bigint NOT NULL, head bytea NOT NULL);
             INSERT INTO bench_chain VALUES (1, 0, sha256('')) ON CONFLICT DO NOTHING; GRANT SELECT, UPDATE ON bench_chain TO kaliun_app",
        )
        .await?;
    let (tell, mut told) = mpsc::channel(usize::try_from(pace.workers)?);
    for worker in 0..pace.workers {
        let client = connect(database, &tasks).await?;
        let (statements, tell) = (statements(&organization, chain), tell.clone());
        tasks.spawn(async move {
            let _nobody_waits = tell.send(work(pace, worker, &client, &statements).await).await;
        });
    }
    drop(tell);
    let mut times = Vec::new();
    while let Some(of_worker) = told.recv().await {
        times.extend(of_worker?);
    }
    tasks.stop().await;
    Ok(times)
}

async fn connect(database: &Database, tasks: &Tasks) -> anyhow::Result<Client> {
    let (client, connection) = database.config().connect(NoTls).await.context("Postgres is not reached")?;
    tasks.spawn(async move {
        let _ended = connection.await;
    });
    Ok(client)
}

/// As the application acts for somebody. The id is the database's own, so it is safe inside quotes.
fn statements(organization: &str, chain: Chain) -> String {
    let inline = match chain {
        Chain::Sealed => "",
        Chain::Inline => {
            "UPDATE bench_chain SET sequence = sequence + 1, head = sha256(head || convert_to(clock_timestamp()::text, 'UTF8')) WHERE id = 1;"
        }
    };
    format!(
        "BEGIN; SET LOCAL ROLE kaliun_app;
         SELECT set_config('kaliun.organization_id', '{organization}', true), set_config('kaliun.reach', '*', true);
         INSERT INTO join_token (id, organization_id, description, secret_hash, max_uses, created_by, expires_at)
             VALUES (gen_random_uuid(), '{organization}', 'bench', sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 1, 'bench', now());
         INSERT INTO audit (organization_id, actor_kind, actor, source_address, action, target, after, request_id)
             VALUES ('{organization}', 3, 'bench', '', 'join_token.create', 'join-token/bench', '{{\"description\": \"bench\"}}', 'bench');
         {inline} COMMIT"
    )
}

async fn work(pace: Pace, worker: u32, client: &Client, statements: &str) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for due in pace.of_worker(worker) {
        tokio::time::sleep_until(due.into()).await;
        client.batch_execute(statements).await.context("a change failed")?;
        times.push(due.elapsed());
    }
    Ok(times)
}
