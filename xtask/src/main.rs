//! Program `xtask`: what is done with this workspace, `cargo xtask <task>`.

mod web;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs, tests and measures Kaliun Fleet.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds the web UI.
    Web {
        /// Build what is shipped: smaller, and slower to build.
        #[arg(long)]
        release: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Web { release } => {
            let mode = if release { web::Mode::Release } else { web::Mode::Development };
            web::build(mode).map(|_dist| ())
        }
    }
}
