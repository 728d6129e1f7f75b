//! `fleetctl login`, `logout` and `whoami`.

use super::context;
use crate::Program;
use crate::cli::{Global, Login, Output};
use crate::client::Client;
use crate::config::{self, Context};
use crate::failure::{Failure, Kind};
use crate::output::print_one;
use crate::settings::{self, Server, Settings};
use crate::view::identity::Identity;
use kaliun_types::secret::SecretText;
use std::io::Read as _;

/// Longest token read, bytes. Real ones have 48.
const TOKEN_MAX_BYTES: u64 = 4096;

/// Checks a token against the server and keeps both.
pub(super) async fn login(program: &mut Program, global: &Global, arguments: Login) -> Result<(), Failure> {
    let path = config::location(&program.environment)?;
    let known = match &global.context {
        Some(name) => config::load(&path)?.config.contexts.remove(name),
        None => None,
    };
    let address = global
        .server
        .clone()
        .or_else(|| known.as_ref().map(|context| context.server.clone()))
        .or_else(|| program.environment.server.clone())
        .ok_or_else(|| Failure::usage("login needs the server's address", "add --server URL"))?;
    let server = Server::parse(&address)?;
    let ca = global
        .ca
        .clone()
        .or_else(|| program.environment.ca_file.clone())
        .or_else(|| known.and_then(|context| context.ca))
        .map(|path| std::path::absolute(&path).unwrap_or(path));
    let token = read_token(program)?;
    if server.is_exposed() {
        program.console.talk(&format!("warning: {server} is not encrypted; anyone on the way can read the token"));
    }

    let settings = Settings { server, token: Some(token), ca, timeout: global.timeout };
    let identity = Client::connect(&settings).await?.identity().await?;
    let identity = Identity::new(settings.server.to_string(), identity);
    let name = global.context.clone().unwrap_or_else(|| settings.server.host.clone());
    let kept = config::change(&path, |config| {
        let context =
            Context { server: settings.server.to_string(), token: settings.token.clone(), ca: settings.ca.clone() };
        config.contexts.insert(name.clone(), context);
        config.current = Some(name.clone());
        context::view(config, &name)
    })?;
    let who = identity.email.or(identity.api_token_name).unwrap_or_default();
    program.console.talk(&format!(
        "Signed in to {} as {who} ({} of {}); context {name:?} is now the current one.",
        settings.server, identity.role, identity.organization.name
    ));
    context::print_context(program, arguments.output.output, &kept)
}

/// Forgets the token of a context. The token itself stays valid, for other machines may use it.
pub(super) fn logout(program: &mut Program, global: &Global, output: Output) -> Result<(), Failure> {
    let path = config::location(&program.environment)?;
    let left = config::change(&path, |config| {
        let name = global.context.clone().or_else(|| config.current.clone()).ok_or_else(|| {
            Failure::new(Kind::NotFound, "there is no current context", "name one with --context NAME")
        })?;
        settings::context_named(config, &name)?;
        if let Some(context) = config.contexts.get_mut(&name) {
            context.token = None;
        }
        context::view(config, &name)
    })?;
    program.console.talk(&format!(
        "Forgot the token of context {:?}. It stays valid until it expires or `fleetctl api-token revoke` ends it.",
        left.name
    ));
    context::print_context(program, output.output, &left)
}

/// Shows whom the server takes the caller for.
pub(super) async fn whoami(program: &mut Program, global: &Global, output: Output) -> Result<(), Failure> {
    let server = settings::require(program, global)?.server.to_string();
    let identity = Client::open(program, global).await?.identity().await?;
    print_one(program, output.output, Identity::new(server, identity))
}

fn read_token(program: &mut Program) -> Result<SecretText, Failure> {
    let mut text = String::new();
    (&mut program.console.input).take(TOKEN_MAX_BYTES).read_to_string(&mut text).map_err(|error| {
        Failure::new(Kind::General, format!("cannot read the token: {error}"), "pipe the token into fleetctl")
    })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::usage(
            "standard input holds no token",
            "pipe it in: `fleetctl login --server URL --token-stdin < FILE`",
        ));
    }
    Ok(SecretText::new(token.to_owned()))
}
