//! `fleetctl sign-up`.

use super::claim::fields;
use crate::Program;
use crate::cli::{Global, SignUpApprove, SignUpCommand, SignUpDeny};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::print_done;
use crate::output::text::clean;
use crate::view::sign_up::{ApprovedSignUp, DeniedSignUp};
use kaliun_proto::fleet::v1::SignUpEntry;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: SignUpCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        SignUpCommand::Approve(arguments) => approve(program, &client, arguments).await,
        SignUpCommand::Deny(arguments) => deny(program, &client, arguments).await,
    }
}

async fn approve(program: &mut Program, client: &Client, arguments: SignUpApprove) -> Result<(), Failure> {
    let entry = find(client, &arguments.sign_up).await?;
    for line in introduction(&entry) {
        program.console.talk(&line);
    }
    if !arguments.yes {
        program.console.confirm("Nobody has confirmed this address by mail. Let them in?")?;
    }
    let account_id = client.sign_up_approve(&entry).await?;
    program.console.talk(&format!("{} can sign in now.", clean(&entry.email)));
    let reference = format!("account/{}", entry.email);
    let approved = ApprovedSignUp { id: entry.id, account_id, email: entry.email };
    print_done(program, arguments.output.output, &approved, &reference)
}

async fn deny(program: &mut Program, client: &Client, arguments: SignUpDeny) -> Result<(), Failure> {
    let entry = find(client, &arguments.sign_up).await?;
    client.sign_up_deny(&entry).await?;
    program.console.talk(&format!("Turned {} away.", clean(&entry.email)));
    let reference = format!("sign-up/{}", entry.id);
    print_done(program, arguments.output.output, &DeniedSignUp { id: entry.id, denied: true }, &reference)
}

fn introduction(entry: &SignUpEntry) -> Vec<String> {
    let seen = [
        ("Address", entry.email.as_str()),
        ("Name", entry.name.as_str()),
        ("Comes from", entry.source_address.as_str()),
    ];
    let mut lines = vec!["Who asks (their own words, not checked):".to_owned()];
    lines.extend(fields(&seen));
    lines
}

async fn find(client: &Client, id_or_email: &str) -> Result<SignUpEntry, Failure> {
    let list = client.sign_up_list(&Paging::ALL).await?;
    let mut found =
        list.items.into_iter().filter(|entry| entry.id == id_or_email || entry.email.eq_ignore_ascii_case(id_or_email));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::Conflict,
            format!("several sign-ups have the address {id_or_email:?}"),
            "name one by its id, from `fleetctl get sign-ups`",
        )),
        (None, _) => Err(Failure::new(
            Kind::NotFound,
            format!("nobody waits as {id_or_email:?}"),
            "see who waits with `fleetctl get sign-ups`",
        )),
    }
}
