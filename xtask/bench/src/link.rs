//! `link`: what an idle connected device costs, and how fast devices connect.

mod measure;
mod report;

use crate::certificates::{self, ClientTls};
use crate::device::{Device, Protocol};
use crate::enrollment::Office;
use crate::identity::Kept;
use crate::progress::say;
use crate::server::{self, ControlPlaneAddresses};
use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use measure::{Figures, Plan};
use report::Report;
use std::path::PathBuf;

/// What to measure, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Idle devices at the end
    #[arg(long, default_value_t = 4_000)]
    devices: usize,
    /// Idle devices at the first reading; the memory of a device is the slope from here
    #[arg(long, default_value_t = 1_000)]
    base: usize,
    /// Seconds of heartbeats before each reading
    #[arg(long, default_value_t = 60)]
    settle: u64,
    /// Handshakes in flight while devices connect
    #[arg(long, default_value_t = 128)]
    concurrent: usize,
    /// Measure only some of the servers, for a quick look
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Which>,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// Folder for the control plane's state and the devices' identities, kept between runs [default: beside the program]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The control plane to measure [default: the one beside this program]
    #[arg(long)]
    control_plane: Option<PathBuf>,
}

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// This control plane
    ControlPlane,
    /// A bare tonic server that echoes
    BareTonic,
    /// mosquitto
    Mosquitto,
}

/// Measures and prints.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(arguments.base < arguments.devices, "--devices must be more than --base");
    ensure!(arguments.concurrent > 0, "--concurrent must be at least 1");
    let beside = std::env::current_exe()?.parent().context("this program has no folder")?.to_owned();
    let folder = arguments.state_dir.clone().unwrap_or_else(|| beside.join("bench-link"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let program = arguments.control_plane.clone().unwrap_or_else(|| beside.join("control-plane"));

    let api_token = server::api_token(&folder)?;
    let identities = folder.join("devices.json");
    let mut kept = Kept::read(&identities);
    if kept.devices.len() < arguments.devices {
        say(&format!("enrolling {} devices", arguments.devices - kept.devices.len()));
        let addresses = ControlPlaneAddresses::free()?;
        let running = server::control_plane(&program, &folder, addresses).await?;
        let office = Office { device: addresses.device, public: addresses.public, api_token: &api_token };
        let enrolled = office.enroll(&mut kept, arguments.devices).await;
        enrolled.with_context(|| format!("the control plane's log ends with\n{}", running.log_tail()))?;
        kept.write(&identities)?;
        // What is measured is a process that has not enrolled anybody: freed memory would hide what a device costs.
        running.stop().await?;
    }

    let mut authorities = kept.authorities()?;
    let (files, peer_authority) = certificates::make(&folder, &authorities)?;
    authorities.push(peer_authority);
    let tls = ClientTls::new(&authorities)?;
    let identified = kept.devices.iter().take(arguments.devices).enumerate();
    let devices: Vec<Device> = identified
        .map(|(number, identity)| Ok(Device { number, tls: tls.device(identity)? }))
        .collect::<anyhow::Result<_>>()?;

    let plan = Plan {
        base: arguments.base,
        devices: &devices,
        settle: std::time::Duration::from_secs(arguments.settle),
        concurrent: arguments.concurrent,
    };
    let wanted = |which| arguments.only.is_empty() || arguments.only.contains(&which);
    let mut report = Report::new(arguments.devices, arguments.base, arguments.settle, arguments.concurrent);
    if wanted(Which::Mosquitto) {
        let (running, address) = server::mosquitto(&folder, &files).await?;
        report.mosquitto = Some(measured("mosquitto", &plan, running, address, Protocol::Mqtt).await?);
    }
    if wanted(Which::BareTonic) {
        let (running, address) = server::bare_tonic(&folder, &files).await?;
        report.bare_tonic = Some(measured("bare tonic", &plan, running, address, Protocol::Echo).await?);
    }
    if wanted(Which::ControlPlane) {
        let addresses = ControlPlaneAddresses::free()?;
        let running = server::control_plane(&program, &folder, addresses).await?;
        report.control_plane = Some(measured("control plane", &plan, running, addresses.device, Protocol::Link).await?);
    }
    report.print(arguments.json)
}

async fn measured(
    name: &str,
    plan: &Plan<'_>,
    running: crate::process::Server,
    address: std::net::SocketAddr,
    protocol: Protocol,
) -> anyhow::Result<Figures> {
    say(&format!("measuring {name}"));
    let figures = plan.measure(&running, address, protocol).await;
    let figures = figures.with_context(|| format!("{name} failed; its log ends with\n{}", running.log_tail()))?;
    running.stop().await?;
    Ok(figures)
}
