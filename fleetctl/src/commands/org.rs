//! `fleetctl org`.

mod invitation;
mod member;

use super::context;
use super::get::convert;
use crate::Program;
use crate::cli::{Global, OrgCommand, OrgCreate, Output};
use crate::client::Client;
use crate::client::pages::{Listing, Paging};
use crate::config;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::{print_done, print_list, print_one};
use crate::settings;
use crate::view::invitation::Invitation;
use crate::view::organization::{LeftOrganization, Member, Organization};
use kaliun_proto::fleet::v1::{self as proto, CreateOrganizationRequest};

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: OrgCommand) -> Result<(), Failure> {
    match command {
        OrgCommand::List(arguments) => list(program, global, &Paging::from(&arguments), arguments.output).await,
        OrgCommand::Use { name, output } => make_current(program, global, &name, output).await,
        OrgCommand::Create(arguments) => create(program, global, arguments).await,
        OrgCommand::Rename { new_name, output } => rename(program, global, new_name, output).await,
        OrgCommand::Leave { yes, output } => leave(program, global, yes, output).await,
        OrgCommand::Members(arguments) => {
            let members = Client::open(program, global).await?.member_list(&Paging::from(&arguments)).await?;
            print_list(program, arguments.output.output, &convert::<_, Member>(members))
        }
        OrgCommand::Member(command) => member::run(program, global, command).await,
        OrgCommand::Invite(arguments) => invitation::create(program, global, arguments).await,
        OrgCommand::Invitations(arguments) => {
            let invitations = Client::open(program, global).await?.invitation_list(&Paging::from(&arguments)).await?;
            print_list(program, arguments.output.output, &convert::<_, Invitation>(invitations))
        }
        OrgCommand::Invitation(command) => invitation::run(program, global, command).await,
    }
}

async fn list(program: &mut Program, global: &Global, paging: &Paging, output: Output) -> Result<(), Failure> {
    let client = Client::open_personal(program, global).await?;
    let current = current_id(program, global)?;
    let list = client.organization_list(paging).await?;
    let items = list.items.into_iter().map(|one| Organization::new(one, current.as_deref())).collect();
    print_list(program, output.output, &Listing { items, next_page_token: list.next_page_token })
}

async fn make_current(program: &mut Program, global: &Global, name: &str, output: Output) -> Result<(), Failure> {
    // Whoever comes with a token of the environment has no context that could remember it.
    person_context(program, global)?;
    let found = Client::open_personal(program, global).await?.organization(name).await?;
    remember(program, global, &found)?;
    print_one(program, output.output, Organization::new(found.clone(), Some(&found.id)))
}

async fn create(program: &mut Program, global: &Global, arguments: OrgCreate) -> Result<(), Failure> {
    if arguments.make_current {
        person_context(program, global)?;
    }
    let client = Client::open_personal(program, global).await?;
    let request = CreateOrganizationRequest {
        name: arguments.name,
        home_name: arguments.home_name.unwrap_or_default(),
        home_time_zone: arguments.time_zone.unwrap_or_default(),
    };
    let made = client.organization_create(request).await?;
    program.console.talk(&format!("Made the organization {:?}.", made.name));
    if arguments.make_current {
        remember(program, global, &made)?;
    } else {
        program.console.talk(&format!("Act in it with `fleetctl org use {}`.", made.id));
    }
    let current = current_id(program, global)?;
    print_one(program, arguments.output.output, Organization::new(made, current.as_deref()))
}

async fn rename(program: &mut Program, global: &Global, new_name: String, output: Output) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let before = here(&client).await?;
    client.organization_rename(new_name).await?;
    let after = here(&client).await?;
    program.console.talk(&format!("The organization {:?} is called {:?} now.", before.name, after.name));
    // The context shows its name without asking the server.
    if current_id(program, global)?.as_deref() == Some(after.id.as_str()) {
        set(program, global, Some(&after))?;
    }
    print_one(program, output.output, Organization::new(after.clone(), Some(&after.id)))
}

async fn leave(program: &mut Program, global: &Global, yes: bool, output: Output) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let left = here(&client).await?;
    if !yes {
        program.console.confirm(&format!(
            "Leave the organization {:?}, with all of its homes? Only a new invitation brings you back.",
            left.name
        ))?;
    }
    client.organization_leave().await?;
    program.console.talk(&format!("You have left the organization {:?}.", left.name));
    if current_id(program, global)?.as_deref() == Some(left.id.as_str()) {
        set(program, global, None)?;
        program.console.talk("Choose another one with `fleetctl org use NAME`.");
    }
    let reference = format!("org/{}", left.id);
    print_done(program, output.output, &LeftOrganization { id: left.id, name: left.name, left: true }, &reference)
}

/// The organization that calls act in.
async fn here(client: &Client) -> Result<proto::Organization, Failure> {
    let identity = client.identity().await?;
    if identity.organization_id.is_empty() {
        return Err(Failure::new(
            Kind::NotFound,
            "you belong to no organization",
            "make one with `fleetctl org create NAME`, or accept an invitation with `fleetctl org invitation accept`",
        ));
    }
    let homes = u32::try_from(identity.homes.len()).unwrap_or(u32::MAX);
    let (id, name) = (identity.organization_id, identity.organization_name);
    Ok(proto::Organization { id, name, role: identity.role, homes })
}

/// The id of the organization that the context acts in.
fn current_id(program: &Program, global: &Global) -> Result<Option<String>, Failure> {
    let Ok(name) = person_context(program, global) else { return Ok(None) };
    let config = config::load(&config::location(&program.environment)?)?.config;
    Ok(config.contexts.get(&name).and_then(|context| context.organization.as_ref()).map(|chosen| chosen.id.clone()))
}

/// The context of the person who calls.
fn person_context(program: &Program, global: &Global) -> Result<String, Failure> {
    match settings::again(program, global)? {
        settings::Settings { credential: settings::Credential::Session(stored), .. } => Ok(stored.context),
        settings::Settings { .. } => Err(Failure::usage(
            "only the context of a person acts in an organization of their choice; an API token has its own",
            "sign in as a person with `fleetctl login`, or name the organization with --organization",
        )),
    }
}

/// Lets the context act in an organization, and says so.
fn remember(program: &mut Program, global: &Global, organization: &proto::Organization) -> Result<(), Failure> {
    let name = set(program, global, Some(organization))?;
    program.console.talk(&format!("Context {name:?} acts in the organization {:?} now.", clean(&organization.name)));
    Ok(())
}

fn set(program: &Program, global: &Global, organization: Option<&proto::Organization>) -> Result<String, Failure> {
    let name = person_context(program, global)?;
    config::change(&config::location(&program.environment)?, |config| {
        settings::context_named(config, &name)?;
        if let Some(context) = config.contexts.get_mut(&name) {
            context.organization =
                organization.map(|one| config::Organization { id: one.id.clone(), name: one.name.clone() });
        }
        context::view(config, &name)
    })?;
    Ok(name)
}
