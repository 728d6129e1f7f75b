//! What the program tells a collector of traces.

use crate::support::{Fixture, PATIENCE, with_token};
use anyhow::{Context as _, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kaliun_cluster::ADMIN;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::watch;
use tonic::transport::Endpoint;

/// A collector that keeps what it is sent, as it comes: names and texts stand in it in the clear.
struct Collector {
    address: SocketAddr,
    heard: watch::Receiver<Vec<u8>>,
}

impl Collector {
    #[expect(clippy::disallowed_methods, reason = "the task ends with the test's runtime")]
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (told, heard) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = told.clone();
                let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
                    let told = told.clone();
                    async move {
                        if let Ok(body) = request.into_body().collect().await {
                            told.send_modify(|heard| heard.extend_from_slice(&body.to_bytes()));
                        }
                        Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
                    }
                });
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Ok(Self { address, heard })
    }

    /// Waits until a text was among it.
    async fn hears(&mut self, text: &str) -> Result<()> {
        let has = |heard: &Vec<u8>| heard.windows(text.len()).any(|window| window == text.as_bytes());
        let heard = tokio::time::timeout(PATIENCE, self.heard.wait_for(has)).await;
        heard.with_context(|| format!("no span has {text}"))??;
        Ok(())
    }
}

#[tokio::test]
async fn a_call_and_its_statements_are_spans_with_the_request_s_id() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut collector = Collector::start().await?;
    let (name, socket) = (fixture.database.name(), fixture.database.socket_folder().display());
    let mut program = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .env_clear()
        .env("KALIUN_DATABASE_URL", format!("postgresql:///{name}?host={socket}&user={ADMIN}"))
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .args(["serve", "--device-listen=127.0.0.1:0", "--public-listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0"])
        .args(["--replica-name=traced", "--log-json=true"])
        .arg(format!("--otlp-endpoint=http://{}", collector.address))
        .arg("--state-dir")
        .arg(fixture.folder().join("program"))
        .arg("--authority-key-file")
        .arg(&fixture.config().authority_key_file)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(program.stderr.take().context("its log")?).lines();
    let public = tokio::time::timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await? {
            let line: serde_json::Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
            if line["message"] == "listening" {
                return Ok(line["public"].as_str().context("an address")?.to_owned());
            }
        }
        anyhow::bail!("the program ended")
    })
    .await??;
    let channel = Endpoint::from_shared(format!("http://{public}"))?.connect().await?;
    let listed =
        DeviceServiceClient::new(channel).list_devices(with_token(fleet::ListDevicesRequest::default())).await?;
    let request_id = listed.metadata().get("x-request-id").context("a request id")?.to_str()?;
    ensure!(request_id.len() == 16, "{request_id}");
    collector.hears("rpc.DeviceService.ListDevices").await?;
    collector.hears("db.device_list_page").await?;
    collector.hears(request_id).await?;
    program.kill().await?;
    fixture.stop().await
}
