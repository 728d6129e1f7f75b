//! `flood`: somebody sends bogus enrolments, or wrong passwords, without end; what do the honest boxes notice?
//!
//! The same honest boxes are measured without and with the flood by turns, in one run against one server: boxes that are online and have
//! samples stored, boxes that connect, and new boxes that enrol. Whoever floods is a process of its own.

mod honest;
mod report;
mod sign_ins;
mod source;

pub(crate) use source::{Arguments as SourceArguments, flood};

use crate::certificates::ClientTls;
use crate::device::{Device, Protocol};
use crate::enrollment::Office;
use crate::fleet::Fleet;
use crate::identity::Kept;
use crate::progress::say;
use crate::server::{self, ControlPlaneAddresses};
use anyhow::{Context as _, ensure};
use honest::{Honest, Observed};
use report::Report;
use source::{Counts, Kind};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Handshakes in flight while the devices connect.
const CONCURRENT: usize = 64;
/// How long the flood goes on before anything is measured beside it.
const RAMP: Duration = Duration::from_secs(3);

/// How many, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Devices online all the while
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
    /// What the server is flooded with
    #[arg(long, value_enum, default_value_t = Kind::Enrollments)]
    of: Kind,
    /// Bogus enrolments or sign-ins a minute [default: 10000 enrolments, 3000 sign-ins]
    #[arg(long)]
    per_minute: Option<u32>,
    /// Turns, each without and then with the flood
    #[arg(long, default_value_t = 4)]
    rounds: u64,
    /// Seconds of each part of a turn
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// End with an error when a goal is missed
    #[arg(long)]
    check: bool,
    /// Folder for the control plane's state and the devices' identities, kept between runs [default: beside the program]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The control plane to measure [default: the one beside this program]
    #[arg(long)]
    control_plane: Option<PathBuf>,
}

impl Arguments {
    fn per_minute(&self) -> u32 {
        self.per_minute.unwrap_or(match self.of {
            Kind::Enrollments => 10_000,
            Kind::SignIns => 3_000,
        })
    }
}

/// Measures and prints.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        arguments.devices >= 1 && arguments.per_minute() >= 1 && arguments.seconds >= 1 && arguments.rounds >= 1,
        "each must be 1 or more"
    );
    let beside = std::env::current_exe()?.parent().context("this program has no folder")?.to_owned();
    let folder = arguments.state_dir.clone().unwrap_or_else(|| beside.join("bench-flood"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let program = arguments.control_plane.clone().unwrap_or_else(|| beside.join("control-plane"));

    let api_token = server::api_token(&folder)?;
    let identities = folder.join("devices.json");
    let mut kept = Kept::read(&identities);
    let addresses = ControlPlaneAddresses::free()?;
    let running = server::control_plane(&program, &folder, addresses).await?;
    let office = Office { device: addresses.device, public: addresses.public, api_token: &api_token };
    // Beside those that are online: some that report, and some that come and go.
    let wanted = arguments.devices + honest::DEVICES;
    let measured = async {
        if kept.devices.len() < wanted {
            say(&format!("enrolling {} devices", wanted - kept.devices.len()));
            office.enroll(&mut kept, wanted).await?;
            kept.write(&identities)?;
        }
        let tls = ClientTls::new(&kept.authorities()?)?;
        let identified = kept.devices.iter().take(wanted).enumerate();
        let devices: Vec<Device> = identified
            .map(|(number, identity)| Ok(Device { number, tls: tls.device(identity)? }))
            .collect::<anyhow::Result<_>>()?;
        let (measured, online) = devices.split_at(honest::DEVICES);
        say(&format!("connecting {} devices", online.len()));
        let mut fleet = Fleet::new(Protocol::Link, addresses.device, CONCURRENT);
        fleet.grow(online, online.len()).await?;
        let token = office.join_token(honest::enrollments(arguments.seconds * (arguments.rounds * 2 + 1))?).await?;
        let mut honest = Honest::begin(&office, measured, token, tls.stranger()?).await?;
        let parts = parts(arguments, addresses, &mut honest).await?;
        fleet.check().context("devices that did nothing but stay lost their session")?;
        honest.end().await;
        fleet.end().await;
        anyhow::Ok(parts)
    };
    let parts = measured.await.with_context(|| format!("the server's log ends with\n{}", running.log_tail()))?;
    running.stop().await?;
    let (calm, flooded, counts) = parts;
    let report = Report::new(arguments.devices, (arguments.of, arguments.per_minute()), calm, flooded, counts)?;
    report.print(arguments.json)?;
    if arguments.check { report.check() } else { Ok(()) }
}

/// Without and with the flood by turns, and once more without: a machine that becomes slower by itself is not taken for harm.
async fn parts(
    arguments: &Arguments,
    addresses: ControlPlaneAddresses,
    honest: &mut Honest<'_>,
) -> anyhow::Result<(Observed, Observed, Counts)> {
    let each = Duration::from_secs(arguments.seconds);
    let server = match arguments.of {
        Kind::Enrollments => addresses.device,
        Kind::SignIns => addresses.public,
    };
    let (mut calm, mut flooded, mut counts) = (Observed::default(), Observed::default(), Counts::default());
    for round in 1..=arguments.rounds {
        say(&format!(
            "round {round} of {}: without, then with {} bogus {} a minute",
            arguments.rounds,
            arguments.per_minute(),
            arguments.of.word()
        ));
        calm.add(honest.observe(each).await?);
        let flooding = Command::new(std::env::current_exe()?)
            .arg("flood-source")
            .args(["--of", arguments.of.argument()])
            .args(["--server", &server.to_string()])
            .args(["--per-minute", &arguments.per_minute().to_string()])
            .args(["--seconds", &(RAMP.as_secs() * 2 + arguments.seconds).to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the flood cannot be started")?;
        tokio::time::sleep(RAMP).await;
        flooded.add(honest.observe(each).await?);
        let output = flooding.wait_with_output().await?;
        ensure!(output.status.success(), "the flood ended with {}", output.status);
        counts.add(&serde_json::from_slice(&output.stdout).context("the flood did not say what it did")?);
    }
    say("once more without");
    calm.add(honest.observe(each).await?);
    Ok((calm, flooded, counts))
}
