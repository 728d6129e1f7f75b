//! `fleetctl whoami`.

use super::installation::home_names;
use crate::Program;
use crate::cli::{Global, Output};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::print_one;
use crate::settings;
use crate::view::identity::Identity;
use std::collections::HashMap;

/// Shows whom the server takes the caller for.
pub(super) async fn whoami(program: &mut Program, global: &Global, output: Output) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let settings = settings::again(program, global)?;
    let identity = client.identity().await?;
    let homes = if identity.homes.is_empty() { HashMap::new() } else { home_names(&client).await };
    let identity = Identity::new(settings.server.to_string(), settings.context, identity, &homes);
    print_one(program, output.output, identity)
}
