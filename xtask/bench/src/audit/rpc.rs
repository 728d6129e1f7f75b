//! Changes as people make them: by RPC at a real control plane, on a durable Postgres.

use super::Pace;
use crate::database::Database;
use crate::tasks::Tasks;
use anyhow::Context as _;
use kaliun_proto::fleet::v1::CreateJoinTokenRequest;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_postgres::{Client, NoTls};
use tonic::transport::{Channel, Endpoint};

/// How often it is looked what waits to be sealed: a prime number of milliseconds, so that looks fall everywhere between those of the sealer.
const LOOK: Duration = Duration::from_millis(23);
/// Longest wait for the last one to be sealed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the changes. Answers how long each took, and the age of the oldest unsealed one at each look.
pub(super) async fn measure(
    pace: Pace,
    public: SocketAddr,
    api_token: &str,
    database: &Database,
) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
    let channel = Endpoint::new(format!("http://{public}"))?.connect().await?;
    let tasks = Tasks::default();
    let (client, connection) = database.config().connect(NoTls).await.context("Postgres is not reached")?;
    tasks.spawn(async move {
        let _ended = connection.await;
    });
    let (tell, mut told) = mpsc::channel(usize::try_from(pace.workers)?);
    for worker in 0..pace.workers {
        let (channel, api_token, tell) = (channel.clone(), api_token.to_owned(), tell.clone());
        tasks.spawn(async move {
            let _nobody_waits = tell.send(work(pace, worker, channel, &api_token).await).await;
        });
    }
    drop(tell);
    let mut times = Vec::new();
    let mut ages = Vec::new();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            of_worker = told.recv() => match of_worker {
                Some(of_worker) => times.extend(of_worker?),
                None => break,
            },
            _ = looks.tick() => ages.extend(oldest(&client).await?),
        }
    }
    let ended = Instant::now();
    while let Some(age) = oldest(&client).await? {
        ages.push(age);
        anyhow::ensure!(ended.elapsed() < PATIENCE, "nobody seals any more");
        looks.tick().await;
    }
    tasks.stop().await;
    Ok((times, ages))
}

async fn work(pace: Pace, worker: u32, channel: Channel, api_token: &str) -> anyhow::Result<Vec<Duration>> {
    let mut client = JoinTokenServiceClient::new(channel);
    let mut times = Vec::new();
    for due in pace.of_worker(worker) {
        tokio::time::sleep_until(due.into()).await;
        let message = CreateJoinTokenRequest {
            description: "bench".to_owned(),
            max_uses: 1,
            ..CreateJoinTokenRequest::default()
        };
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {api_token}").parse()?);
        client.create_join_token(request).await.context("a change failed")?;
        times.push(due.elapsed());
    }
    Ok(times)
}

/// Age of the oldest change that is committed and not sealed.
async fn oldest(client: &Client) -> anyhow::Result<Option<Duration>> {
    let question =
        "SELECT extract(epoch FROM clock_timestamp() - min(at))::double precision FROM audit WHERE sequence IS NULL";
    let age: Option<f64> = client.query_one(question, &[]).await?.get(0);
    Ok(age.map(|age| Duration::try_from_secs_f64(age).unwrap_or_default()))
}
