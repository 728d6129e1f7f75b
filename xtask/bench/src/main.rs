//! Program `kaliun-bench`: this control plane beside its peers, measured in one run.
//!
//! The servers are processes of their own; this process holds the devices, so that only the server's memory is counted.

mod audit;
mod certificates;
mod connection;
mod database;
mod device;
mod echo;
mod enrollment;
mod fleet;
mod flood;
mod identity;
mod latency;
mod limits;
mod link;
mod process;
mod progress;
mod revoke;
mod rpc;
mod server;
mod tasks;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", about = "Measures this control plane beside its peers.")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Memory per idle connected device, and connections a second: this control plane, bare tonic, mosquitto
    Link(link::Arguments),
    /// Time from a revocation at one replica to the end of the device's stream at another
    Revoke(revoke::Arguments),
    /// Time that an audited change takes at 500 a second in one organization, and until it is sealed; beside it a chain made inline
    Audit(audit::Arguments),
    /// Latency of honest boxes while one source floods the server with bogus enrolments, and while it does not
    Flood(flood::Arguments),
    /// Whoever floods; `flood` starts it
    #[command(hide = true)]
    FloodSource(flood::SourceArguments),
    /// The bare tonic server; `link` starts it
    #[command(hide = true)]
    EchoServer(echo::Arguments),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    limits::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.what {
        What::Link(arguments) => runtime.block_on(link::run(&arguments)),
        What::Revoke(arguments) => runtime.block_on(revoke::run(&arguments)),
        What::Audit(arguments) => runtime.block_on(audit::run(&arguments)),
        What::Flood(arguments) => runtime.block_on(flood::run(&arguments)),
        What::FloodSource(arguments) => runtime.block_on(flood::flood(&arguments)),
        What::EchoServer(arguments) => runtime.block_on(echo::serve(&arguments)),
    }
}
