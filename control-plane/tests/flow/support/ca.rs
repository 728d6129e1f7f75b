//! `control-plane ca`, as somebody types it.

use super::Fixture;
use anyhow::Result;
use kaliun_control_plane::ca::{self, CaCommand, CaError};
use kaliun_control_plane::config::Config;
use std::path::{Path, PathBuf};

#[derive(clap::Parser)]
struct Typed {
    #[command(subcommand)]
    command: CaCommand,
}

/// Runs it with some words.
pub(crate) async fn run_ca(config: &Config, words: &[&str]) -> Result<Result<String, CaError>> {
    let typed: Typed = clap::Parser::try_parse_from(["ca"].iter().chain(words))?;
    Ok(match typed.command {
        CaCommand::SignBundle(arguments) => ca::sign_bundle(arguments),
        command @ (CaCommand::Export { .. }
        | CaCommand::Import { .. }
        | CaCommand::Rekey { .. }
        | CaCommand::BundleKey(_)) => ca::run(command, config).await,
    })
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// A file with a passphrase in the folder of a test.
pub(crate) fn passphrase(fixture: &Fixture, words: &str) -> Result<PathBuf> {
    let path = fixture.folder().join(format!("passphrase-{}", words.len()));
    std::fs::write(&path, format!("{words}\n"))?;
    Ok(path)
}
