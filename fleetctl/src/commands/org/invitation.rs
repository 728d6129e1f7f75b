//! `fleetctl org invite` and `fleetctl org invitation`.

use super::super::installation;
use super::super::role::{home_role, role};
use super::{person_context, remember};
use crate::Program;
use crate::cli::{Format, Global, InvitationCommand, OrgInvite, Output};
use crate::client::Client;
use crate::client::devices::is_id;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::{print_document, print_done, print_one};
use crate::view::invitation::{Invitation, NewInvitation};
use crate::view::organization::Organization;
use crate::view::token::RevokedToken;
use kaliun_proto::fleet::v1::CreateInvitationRequest;
use kaliun_types::secret::SecretText;
use std::io::Read as _;

/// Longest link read, bytes: an address and a secret of at most 128.
const LINK_MAX_BYTES: u64 = 4096;

/// Invites somebody.
pub(super) async fn create(program: &mut Program, global: &Global, arguments: OrgInvite) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let mut request = CreateInvitationRequest { email: arguments.email, ..CreateInvitationRequest::default() };
    if let Some(home) = &arguments.home {
        request.installation_id = installation::find(&client, home).await?.id;
    }
    if let Some(word) = arguments.home_role {
        request.home_role = home_role(word).into();
    }
    if let Some(word) = arguments.role {
        request.role = role(word).into();
    }
    let answer = client.invitation_create(request).await?;
    let invitation = answer.invitation.map(Invitation::from).ok_or_else(|| {
        Failure::new(
            Kind::General,
            "the server's answer holds no invitation",
            "compare the versions with `fleetctl version`",
        )
    })?;
    let new = NewInvitation { invitation, link: Some(answer.link).filter(|link| !link.is_empty()) };
    let email = clean(&new.invitation.email).into_owned();
    match arguments.output.output {
        Format::Json | Format::Yaml => return print_document(program, arguments.output.output, &new),
        Format::Name => program.console.print_line(&format!("invitation/{}", new.invitation.id))?,
        Format::Table | Format::Wide => {
            if let Some(link) = &new.link {
                program.console.print_line(&clean(link))?;
            }
        }
    }
    program.console.talk(&match new.link {
        None => format!("Invited {email} as {}; a mail with a link is on its way.", clean(&new.invitation.what())),
        Some(_) if arguments.output.output == Format::Name => {
            "The server cannot send mail, and the link was not printed: take -o json or the usual form.".to_owned()
        }
        Some(_) => format!(
            "Invited {email} as {}. The server cannot send mail: hand the link to them. It is shown once.",
            clean(&new.invitation.what())
        ),
    });
    Ok(())
}

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: InvitationCommand) -> Result<(), Failure> {
    match command {
        InvitationCommand::Revoke { invitation, output } => revoke(program, global, invitation, output).await,
        InvitationCommand::Accept { link, make_current, output } => {
            accept(program, global, link, make_current, output).await
        }
    }
}

async fn revoke(program: &mut Program, global: &Global, id_or_email: String, output: Output) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let id = if is_id(&id_or_email) { id_or_email } else { find(&client, &id_or_email).await? };
    client.invitation_revoke(id.clone()).await?;
    let name = format!("invitation/{id}");
    program.console.talk(&format!("Revoked {name}."));
    print_done(program, output.output, &RevokedToken { id, revoked: true }, &name)
}

async fn accept(
    program: &mut Program,
    global: &Global,
    link: Option<String>,
    make_current: bool,
    output: Output,
) -> Result<(), Failure> {
    if make_current {
        person_context(program, global)?;
    }
    let client = Client::open_personal(program, global).await?;
    let secret = secret_of(&match link {
        Some(link) => link,
        None => read_link(program)?,
    })?;
    let (invitation, organization) = client.invitation(&secret).await?;
    let what = Invitation::from(invitation).what();
    let joined = client.invitation_accept(&secret).await?;
    program.console.talk(&format!("You are in the organization {organization:?} now, as {}.", clean(&what)));
    if make_current {
        remember(program, global, &joined)?;
    } else {
        program.console.talk(&format!("Act in it with `fleetctl org use {}`.", joined.id));
    }
    let current = super::current_id(program, global)?;
    print_one(program, output.output, Organization::new(joined, current.as_deref()))
}

fn read_link(program: &mut Program) -> Result<String, Failure> {
    let hint = "pipe the link in, or paste it when asked";
    if program.console.can_ask {
        return program.console.ask_secret("Link of the invitation: ", hint);
    }
    let mut text = String::new();
    (&mut program.console.input)
        .take(LINK_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Kind::General, format!("cannot read the link: {error}"), hint))?;
    Ok(text)
}

/// The part of a link that counts stands behind `#`, which browsers tell no server.
fn secret_of(link: &str) -> Result<SecretText, Failure> {
    let link = link.trim();
    let secret = link.rsplit_once('#').map_or(link, |(_, secret)| secret);
    if secret.is_empty() || secret.contains(char::is_whitespace) || secret.contains("//") {
        return Err(Failure::usage("this is no link of an invitation", "copy the whole link, with what follows `#`"));
    }
    Ok(SecretText::new(secret.to_owned()))
}

async fn find(client: &Client, email: &str) -> Result<String, Failure> {
    let list = client.invitation_list(&Paging::ALL).await?;
    let mut found = list.items.into_iter().filter(|invitation| invitation.email.eq_ignore_ascii_case(email));
    match (found.next(), found.next()) {
        (Some(invitation), None) => Ok(invitation.id),
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::Conflict,
            format!("there are several invitations for {email:?}"),
            "name one by its id, from `fleetctl org invitations`",
        )),
        (None, _) => Err(Failure::new(
            Kind::NotFound,
            format!("there is no invitation for {email:?}"),
            "see what there is with `fleetctl org invitations`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::secret_of;

    #[test]
    fn a_secret_is_found_in_its_link() {
        let check = |link: &str, expected: Option<&str>| {
            let secret = secret_of(link).ok().map(|secret| secret.expose().to_owned());
            assert_eq!(secret.as_deref(), expected, "{link:?}");
        };
        check("https://fleet.example/invitation#kin1.abc\n", Some("kin1.abc"));
        check("  kin1.abc ", Some("kin1.abc"));
        for link in ["", "#", "https://fleet.example/invitation", "https://fleet.example/invitation#", "a b"] {
            check(link, None);
        }
    }
}
