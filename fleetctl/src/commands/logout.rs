//! `fleetctl logout`.

use super::context;
use crate::Program;
use crate::cli::{Global, Output};
use crate::client::Client;
use crate::config::{self, Context};
use crate::failure::{Failure, Kind};
use crate::settings::{Credential, Place, Server, Settings, StoredSession, context_named};
use std::path::Path;

/// Ends the session of a context on its server and forgets it, or forgets the API token of a context, which other machines may use.
pub(super) async fn logout(program: &mut Program, global: &Global, output: Output) -> Result<(), Failure> {
    let file = config::location(&program.environment)?;
    let config = config::load(&file)?.config;
    let name =
        global.context.clone().or_else(|| config.current.clone()).ok_or_else(|| {
            Failure::new(Kind::NotFound, "there is no current context", "name one with --context NAME")
        })?;
    let context = context_named(&config, &name)?;
    let ended = end_with(program, global, &file, &name, context).await;
    let left = config::change(&file, |config| {
        context_named(config, &name)?;
        if let Some(context) = config.contexts.get_mut(&name) {
            context.forget_person();
        }
        context::view(config, &name)
    })?;
    let said = match (&context.session, &context.token) {
        (Some(session), _) => format!("Signed {} out of {}.", session.email, context.server),
        (None, Some(_)) => format!(
            "Forgot the token of context {name:?}. It stays valid until it expires or `fleetctl api-token revoke` ends it."
        ),
        (None, None) => format!("Nobody was signed in by context {name:?}."),
    };
    if ended.is_ok() {
        program.console.talk(&said);
    }
    context::print_context(program, output.output, &left)?;
    ended
}

async fn end_with(
    program: &mut Program,
    global: &Global,
    file: &Path,
    name: &str,
    context: &Context,
) -> Result<(), Failure> {
    if context.session.is_none() {
        return Ok(());
    }
    let settings = Settings {
        server: Server::parse(&context.server)?,
        credential: Credential::Nothing,
        organization: Place::Default,
        context: None,
        ca: global.ca.clone().or_else(|| program.environment.ca_file.clone()).or_else(|| context.ca.clone()),
        timeout: global.timeout,
    };
    end_session(program, file, name, context, &settings).await.map_err(|failure| {
        Failure::new(
            failure.kind,
            format!("forgot the session of context {name:?}, but could not end it on the server: {}", failure.message),
            "it ends by itself when it is not used; to end it now, sign in again and run `fleetctl session revoke`",
        )
    })
}

/// Ends a context's session on its server. One that is over already is no failure.
pub(super) async fn end_session(
    program: &Program,
    file: &Path,
    name: &str,
    context: &Context,
    settings: &Settings,
) -> Result<(), Failure> {
    let Some(session) = context.session.clone() else { return Ok(()) };
    let stored = StoredSession { session, file: file.to_owned(), context: name.to_owned() };
    let settings = Settings { credential: Credential::Session(stored), ..settings.clone() };
    match Client::connect(program, &settings).await?.sign_out().await {
        Err(failure) if failure.kind != Kind::Denied => Err(failure),
        Ok(()) | Err(_) => Ok(()),
    }
}
