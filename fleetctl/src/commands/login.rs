//! `fleetctl login`: by a code that a person confirms in a browser, or with an API token.

mod code;
mod pace;
mod token;

use super::context;
use super::logout::end_session;
use crate::Program;
use crate::cli::{Global, Login};
use crate::client::{Client, same_organization};
use crate::config::{self, Context, Organization};
use crate::failure::Failure;
use crate::settings::{Credential, Place, Server, Settings};
use crate::view::identity::Identity;
use kaliun_proto::fleet::v1 as proto;
use std::collections::HashMap;
use std::path::PathBuf;

/// Which context gets who signs in.
struct Target {
    file: PathBuf,
    name: String,
    /// As it was before.
    known: Option<Context>,
    server: Server,
    ca: Option<PathBuf>,
}

/// Signs in and keeps it.
pub(super) async fn login(program: &mut Program, global: &Global, arguments: Login) -> Result<(), Failure> {
    let target = target(program, global)?;
    if target.server.is_exposed() {
        program
            .console
            .talk(&format!("warning: {} is not encrypted; anyone on the way can read the tokens", target.server));
    }
    let by_token = arguments.token || arguments.token_stdin || arguments.token_file.is_some();
    let settings = Settings {
        server: target.server.clone(),
        credential: if by_token { Credential::Token(token::read(program, &arguments)?) } else { Credential::Nothing },
        organization: Place::Default,
        context: None,
        ca: target.ca.clone(),
        timeout: global.timeout,
    };
    match settings.credential {
        Credential::Token(_) => with_token(program, global, &target, &settings, arguments).await,
        Credential::Nothing | Credential::Session(_) => with_code(program, global, &target, settings, arguments).await,
    }
}

/// Where to sign in, from flags, environment and contexts.
fn target(program: &Program, global: &Global) -> Result<Target, Failure> {
    let file = config::location(&program.environment)?;
    let mut config = config::load(&file)?.config;
    let named = global.context.clone();
    let has_address = global.server.is_some() || (named.is_none() && program.environment.server.is_some());
    let name = named.or(config.current.clone().filter(|_| !has_address));
    let of_context = name.as_ref().and_then(|name| config.contexts.get(name)).map(|context| &context.server);
    let address = global
        .server
        .as_ref()
        .or(of_context)
        .or(program.environment.server.as_ref())
        .ok_or_else(|| Failure::usage("login needs the server's address", "add --server URL"))?;
    let server = Server::parse(address)?;
    let name = name.unwrap_or_else(|| server.host.clone());
    let known = config.contexts.remove(&name);
    let ca = global
        .ca
        .clone()
        .or_else(|| program.environment.ca_file.clone())
        .or_else(|| known.as_ref().and_then(|context| context.ca.clone()))
        .map(|path| std::path::absolute(&path).unwrap_or(path));
    Ok(Target { file, name, known, server, ca })
}

/// Checks a token against the server and keeps both.
async fn with_token(
    program: &mut Program,
    global: &Global,
    target: &Target,
    settings: &Settings,
    arguments: Login,
) -> Result<(), Failure> {
    let identity = Client::connect(program, settings).await?.identity().await?;
    if let Some(wanted) = wanted_organization(program, global) {
        same_organization(&identity, wanted)?;
    }
    let token = match &settings.credential {
        Credential::Token(token) => Some(token.clone()),
        Credential::Nothing | Credential::Session(_) => None,
    };
    let context = Context { token, ..Context::new(target.server.to_string(), target.ca.clone()) };
    keep(program, target, context, identity, &arguments)
}

/// Waits for a person's yes in a browser, and keeps the session that it opens.
async fn with_code(
    program: &mut Program,
    global: &Global,
    target: &Target,
    settings: Settings,
    arguments: Login,
) -> Result<(), Failure> {
    let tokens = code::confirmed(program, &settings, arguments.qr).await?;
    let session = crate::client::renewed("", tokens, (program.clock)());
    // The new session is not in the file yet, so it cannot be renewed; its first token is good for all that follows here.
    let settings = Settings { credential: Credential::Token(session.access_token.clone()), ..settings };
    let client = Client::connect(program, &settings).await?;
    let (client, chosen) = choose_organization(program, global, target, client).await;
    let identity = match client.identity().await {
        Ok(identity) => identity,
        Err(failure) => {
            // What is not kept must not stay open.
            let _ends_by_itself = client.sign_out().await;
            return Err(failure);
        }
    };
    end_previous(program, target, &settings).await;
    let organization = (!identity.organization_id.is_empty())
        .then(|| Organization { id: identity.organization_id.clone(), name: identity.organization_name.clone() });
    let context = Context {
        organization,
        session: Some(config::Session { email: identity.email.clone(), ..session }),
        ..Context::new(target.server.to_string(), target.ca.clone())
    };
    keep(program, target, context, identity, &arguments)?;
    chosen
}

fn wanted_organization<'a>(program: &'a Program, global: &'a Global) -> Option<&'a String> {
    global.organization.as_ref().or(program.environment.organization.as_ref())
}

/// Lets calls act where this command line says, or where the context did. What stands against that is told at the end: by then somebody is
/// signed in, which is not undone for it.
async fn choose_organization(
    program: &Program,
    global: &Global,
    target: &Target,
    client: Client,
) -> (Client, Result<(), Failure>) {
    let wanted = wanted_organization(program, global);
    let before = target.known.as_ref().and_then(|context| context.organization.as_ref());
    let Some(name) = wanted.or(before.map(|organization| &organization.id)) else { return (client, Ok(())) };
    match client.organization(name).await {
        Ok(found) => (client.acting_in(&found.id), Ok(())),
        Err(failure) if wanted.is_some() => (client, Err(failure)),
        // Another person, or one who has left it.
        Err(_) => (client, Ok(())),
    }
}

/// Ends the session that the context had, which nobody could use any more. The new one does not depend on that.
async fn end_previous(program: &mut Program, target: &Target, settings: &Settings) {
    let Some(known) = &target.known else { return };
    if known.session.is_some() && Server::parse(&known.server).is_ok_and(|server| server == target.server) {
        let _ends_by_itself = end_session(program, &target.file, &target.name, known, settings).await;
    }
}

fn keep(
    program: &mut Program,
    target: &Target,
    context: Context,
    identity: proto::Identity,
    arguments: &Login,
) -> Result<(), Failure> {
    let kept = config::change(&target.file, |config| {
        config.contexts.insert(target.name.clone(), context);
        config.current = Some(target.name.clone());
        context::view(config, &target.name)
    })?;
    let identity = Identity::new(target.server.to_string(), Some(target.name.clone()), identity, &HashMap::new());
    program.console.talk(&format!(
        "Signed in to {} as {}; context {:?} is now the current one.",
        target.server,
        crate::output::text::clean(&identity.introduction()),
        target.name
    ));
    if program.environment.token.is_some() {
        program
            .console
            .talk("warning: FLEETCTL_TOKEN is set and wins over the context; unset it to use what you signed in with");
    }
    if identity.organization.is_none() {
        program.console.talk("Make an organization with `fleetctl org create NAME`, or accept an invitation with `fleetctl org invitation accept`.");
    }
    context::print_context(program, arguments.output.output, &kept)
}
