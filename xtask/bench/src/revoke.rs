//! `revoke`: two replicas on one Postgres; a device is revoked at one, and its stream ends at the other.

mod report;

use crate::certificates::ClientTls;
use crate::database::{BarePostgres, BareTimes, Database};
use crate::device::{Device, Protocol};
use crate::enrollment::Office;
use crate::fleet::{End, Fleet};
use crate::identity::Kept;
use crate::latency::Latency;
use crate::process::Server;
use crate::progress::say;
use crate::server::{self, ControlPlaneAddresses};
use crate::tasks::Tasks;
use anyhow::{Context as _, ensure};
use kaliun_proto::fleet::v1::RevokeDeviceRequest;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use report::Report;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::transport::{Channel, Endpoint};

/// A stream that is not cut by then counts as never cut.
const CUT_PATIENCE: Duration = Duration::from_secs(30);
/// Between two revocations: a prime number of milliseconds, so that they fall everywhere between what happens once a second.
const PAUSE: Duration = Duration::from_millis(97);
/// Handshakes in flight while the devices connect.
const CONCURRENT: usize = 64;
/// What the box is told.
const REASON: &str = "peer.device_revoked";

/// How many, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Devices online, half at each replica
    #[arg(long, default_value_t = 2_000)]
    devices: usize,
    /// Devices that are revoked, one after another
    #[arg(long, default_value_t = 250)]
    revocations: usize,
    /// Seconds of heartbeats before the first
    #[arg(long, default_value_t = 10)]
    settle: u64,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// End with an error when the goal is missed
    #[arg(long)]
    check: bool,
    /// Folder for the database and the devices' identities, kept between runs [default: beside the program]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The control plane to measure [default: the one beside this program]
    #[arg(long)]
    control_plane: Option<PathBuf>,
}

/// One of the two replicas.
struct Replica {
    running: Server,
    addresses: ControlPlaneAddresses,
}

/// All times of one run.
#[derive(Default)]
struct Times {
    /// From the call at one replica to the end of the stream at the other.
    cut: Vec<Duration>,
    /// From the call to its answer.
    answer: Vec<Duration>,
    bare: Vec<BareTimes>,
}

/// Measures and prints.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let half = arguments.devices / 2;
    ensure!(
        arguments.revocations >= 1 && arguments.revocations <= half,
        "--revocations must be 1 to half of --devices"
    );
    let beside = std::env::current_exe()?.parent().context("this program has no folder")?.to_owned();
    let folder = arguments.state_dir.clone().unwrap_or_else(|| beside.join("bench-revoke"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let program = arguments.control_plane.clone().unwrap_or_else(|| beside.join("control-plane"));

    let api_token = server::api_token(&folder)?;
    let database = Database::start(&folder).await?;
    let near = Replica::start(&program, &folder, "near", &database).await?;
    let far = Replica::start(&program, &folder, "far", &database).await?;
    let measured = measure(arguments, &folder, &api_token, &database, &near, &far).await;
    let times = measured.with_context(|| {
        format!("the replicas' logs end with\n{}\n{}", near.running.log_tail(), far.running.log_tail())
    })?;
    near.running.stop().await?;
    far.running.stop().await?;
    database.stop().await;
    let report = Report {
        devices: arguments.devices,
        cut: Latency::of(times.cut)?,
        answer: Latency::of(times.answer)?,
        bare_notify: Latency::of(times.bare.iter().map(|times| times.notify).collect())?,
        bare_change_and_notify: Latency::of(times.bare.iter().map(|times| times.change_and_notify).collect())?,
    };
    report.print(arguments.json)?;
    if arguments.check { report.check() } else { Ok(()) }
}

impl Replica {
    async fn start(program: &Path, folder: &Path, name: &str, database: &Database) -> anyhow::Result<Self> {
        let addresses = ControlPlaneAddresses::free()?;
        let running = server::replica(program, folder, name, addresses, &database.url()).await?;
        Ok(Self { running, addresses })
    }
}

async fn measure(
    arguments: &Arguments,
    folder: &Path,
    api_token: &str,
    database: &Database,
    near: &Replica,
    far: &Replica,
) -> anyhow::Result<Times> {
    let identities = folder.join("devices.json");
    let mut kept = Kept::read(&identities);
    if kept.devices.len() < arguments.devices {
        say(&format!("enrolling {} devices", arguments.devices - kept.devices.len()));
        let office = Office { device: near.addresses.device, public: near.addresses.public, api_token };
        office.enroll(&mut kept, arguments.devices).await?;
        kept.write(&identities)?;
    }
    let tls = ClientTls::new(&kept.authorities()?)?;
    let identified = kept.devices.iter().take(arguments.devices).enumerate();
    let devices: Vec<Device> = identified
        .map(|(number, identity)| Ok(Device { number, tls: tls.device(identity)? }))
        .collect::<anyhow::Result<_>>()?;
    let (at_far, at_near) = devices.split_at(devices.len() / 2);

    say(&format!("connecting {} devices", devices.len()));
    let (tell, mut ends) = mpsc::channel(devices.len());
    let mut far_fleet = Fleet::new(Protocol::Link, far.addresses.device, CONCURRENT);
    far_fleet.tell(tell);
    far_fleet.grow(at_far, at_far.len()).await?;
    let mut near_fleet = Fleet::new(Protocol::Link, near.addresses.device, CONCURRENT);
    near_fleet.grow(at_near, at_near.len()).await?;
    tokio::time::sleep(Duration::from_secs(arguments.settle)).await;
    far_fleet.check()?;

    say(&format!("revoking {} of them", arguments.revocations));
    let tasks = Tasks::default();
    let mut bare = BarePostgres::connect(database, &tasks).await?;
    let channel = Endpoint::new(format!("http://{}", near.addresses.public))?.connect().await?;
    let mut office = DeviceServiceClient::new(channel);
    let mut times = Times::default();
    let mut revoked = BTreeSet::new();
    for (number, identity) in kept.devices.iter().enumerate().take(arguments.revocations) {
        times.bare.push(bare.measure().await?);
        let began = Instant::now();
        revoke(&mut office, &identity.device_id, api_token).await?;
        times.answer.push(began.elapsed());
        revoked.insert(number);
        let end = tokio::time::timeout(CUT_PATIENCE, ends.recv()).await.context("its stream was not cut")?;
        times.cut.push(check(end, number)?.duration_since(began));
        tokio::time::sleep(PAUSE).await;
    }
    // Everybody else is still there.
    near_fleet.check()?;
    ensure!(ends.try_recv().is_err(), "a device that was not revoked lost its session");
    far_fleet.end().await;
    near_fleet.end().await;
    drop(bare);
    tasks.stop().await;
    let mut number = 0;
    kept.devices.retain(|_identity| {
        number += 1;
        !revoked.contains(&(number - 1))
    });
    kept.write(&identities)?;
    Ok(times)
}

/// The end must be of that device, and for that reason.
fn check(end: Option<End>, number: usize) -> anyhow::Result<Instant> {
    let end = end.context("the devices are gone")?;
    ensure!(end.number == number, "device {} lost its session in place of {number}: {}", end.number, end.why);
    ensure!(end.why.contains(REASON), "device {number} was told something else: {}", end.why);
    Ok(end.at)
}

async fn revoke(office: &mut DeviceServiceClient<Channel>, id: &str, api_token: &str) -> anyhow::Result<()> {
    let mut request = tonic::Request::new(RevokeDeviceRequest { id: id.to_owned() });
    request.metadata_mut().insert("authorization", format!("Bearer {api_token}").parse()?);
    office.revoke_device(request).await.context("the revocation failed")?;
    Ok(())
}
