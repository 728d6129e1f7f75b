//! Program `xtask`: what is done with this workspace, `cargo xtask <task>`.

mod bench;
mod fuzz;
mod machine;
mod talk;
mod test;
mod up;
mod web;
mod workspace;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs, tests and measures Kaliun Fleet.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds and starts a whole fleet on this machine, and shows where it is.
    Up(up::Arguments),
    /// Stops the fleet that `up` started; the same as `up down`.
    Down(up::Place),
    /// Says how the fleet is doing; the same as `up status`.
    Status(up::Place),
    /// Shows the mails that the fleet of `up` sent.
    Mails(up::mails::Arguments),
    /// Proves everything: formatting, lints, documentation, tests, the web build, and end to end in a browser.
    Test(test::Arguments),
    /// Builds the web UI.
    Web {
        /// Build what is shipped: smaller, and slower to build.
        #[arg(long)]
        release: bool,
    },
    /// Measures beside peers; `cargo xtask bench link` says more with --help.
    Bench(bench::Arguments),
    /// Fuzzes what reads bytes of strangers, guided by coverage.
    Fuzz(fuzz::Arguments),
}

fn main() -> anyhow::Result<std::process::ExitCode> {
    match Arguments::parse().task {
        Task::Up(arguments) => return up::run(arguments),
        Task::Down(place) => return up::down(&place),
        Task::Status(place) => return up::status(&place),
        Task::Mails(arguments) => up::mails::run(&arguments)?,
        Task::Test(arguments) => test::run(&arguments)?,
        Task::Web { release } => {
            let mode = if release { web::Mode::Release } else { web::Mode::Development };
            web::build(mode)?;
        }
        Task::Bench(arguments) => return bench::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments)?,
    }
    Ok(std::process::ExitCode::SUCCESS)
}
