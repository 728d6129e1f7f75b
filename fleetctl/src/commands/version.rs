//! `fleetctl version`.

use crate::Program;
use crate::cli::{Format, Global, Output};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::print_document;
use crate::output::text::clean;
use crate::settings::{self, Credential, Settings};
use serde::Serialize;
use std::time::Duration;

/// A version is asked for to see what is wrong, so a server that does not answer must not keep anyone waiting.
const PATIENCE: Duration = Duration::from_secs(3);

/// Both versions.
#[derive(Debug, Serialize)]
struct Versions {
    client: ClientVersion,
    server: Option<ServerVersion>,
}

#[derive(Debug, Serialize)]
struct ClientVersion {
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct ServerVersion {
    url: String,
    version: String,
    link_protocol: u32,
}

/// Prints the version of fleetctl and, when one is set and answers, of the server.
pub(super) async fn run(program: &mut Program, global: &Global, output: Output) -> Result<(), Failure> {
    let server = match settings::find(program, global) {
        Ok(Some(settings)) => ask(program, settings).await.map(Some),
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    let server = server.unwrap_or_else(|failure| {
        program.console.talk(&format!("warning: {}", failure.message));
        None
    });
    let versions = Versions { client: ClientVersion { version: env!("CARGO_PKG_VERSION") }, server };
    match output.output {
        Format::Json | Format::Yaml => print_document(program, output.output, &versions),
        Format::Table | Format::Wide | Format::Name => {
            program.console.print_line(&format!("fleetctl {}", versions.client.version))?;
            if let Some(server) = versions.server {
                program.console.print_line(&format!("server {} ({})", clean(&server.version), server.url))?;
            }
            Ok(())
        }
    }
}

async fn ask(program: &Program, settings: Settings) -> Result<ServerVersion, Failure> {
    // No sign-in is needed, and a token that is refused must not hide the version.
    let settings = Settings { credential: Credential::Nothing, timeout: settings.timeout.min(PATIENCE), ..settings };
    let answer = Client::connect(program, &settings).await?.server_version().await?;
    Ok(ServerVersion { url: settings.server.to_string(), version: answer.version, link_protocol: answer.link_protocol })
}
