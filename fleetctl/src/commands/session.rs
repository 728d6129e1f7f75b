//! `fleetctl session`.

use crate::Program;
use crate::cli::{Format, Global, SessionCommand, SessionRevoke};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{print_document, print_done};
use crate::view::session::{RevokedSession, RevokedSessions};

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: SessionCommand) -> Result<(), Failure> {
    match command {
        SessionCommand::Revoke(arguments) => revoke(program, global, arguments).await,
    }
}

async fn revoke(program: &mut Program, global: &Global, arguments: SessionRevoke) -> Result<(), Failure> {
    let client = Client::open_personal(program, global).await?;
    let format = arguments.output.output;
    if let Some(id) = arguments.session {
        client.session_revoke(id.clone()).await?;
        let name = format!("session/{id}");
        program.console.talk(&format!("Revoked {name}."));
        return print_done(program, format, &RevokedSession { id, revoked: true }, &name);
    }
    let revoked_count = client.session_revoke_others().await?;
    program.console.talk(&match revoked_count {
        0 => "You are signed in nowhere else.".to_owned(),
        1 => "Revoked one other session.".to_owned(),
        more => format!("Revoked {more} other sessions."),
    });
    match format {
        Format::Json | Format::Yaml => print_document(program, format, &RevokedSessions { revoked_count }),
        // There is no name for all of them.
        Format::Table | Format::Wide | Format::Name => Ok(()),
    }
}
