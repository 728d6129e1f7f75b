//! `fleetctl installation`.

use super::get::convert;
use super::role::home_role;
use crate::Program;
use crate::cli::{Format, Global, HomeRoleWord, InstallationCommand, PersonCommand, PersonOfHome};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::{print_done, print_list, print_one};
use crate::view::installation::{DeletedInstallation, Installation, Person};
use crate::view::organization::Removed;
use kaliun_proto::fleet::v1::{self as proto, CreateInstallationRequest, HomePerson, UpdateInstallationRequest};
use std::collections::HashMap;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: InstallationCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        InstallationCommand::List(arguments) => {
            let list = client.installation_list(&Paging::from(&arguments)).await?;
            print_list(program, arguments.output.output, &convert::<_, Installation>(list))
        }
        InstallationCommand::Create { name, time_zone, output } => {
            let request = CreateInstallationRequest { name, time_zone: time_zone.unwrap_or_default() };
            let home = client.installation_create(request).await?;
            program.console.talk(&format!("Made installation/{}.", clean(&home.name)));
            print_one(program, output.output, Installation::from(home))
        }
        InstallationCommand::Rename { installation, new_name, output } => {
            let change = UpdateInstallationRequest { name: Some(new_name), ..UpdateInstallationRequest::default() };
            update(program, &client, &installation, change, output.output).await
        }
        InstallationCommand::Set { installation, time_zone, output } => {
            let change =
                UpdateInstallationRequest { time_zone: Some(time_zone), ..UpdateInstallationRequest::default() };
            update(program, &client, &installation, change, output.output).await
        }
        InstallationCommand::Delete { installation, yes, output } => {
            delete(program, &client, &installation, yes, output.output).await
        }
        InstallationCommand::People { installation, list } => {
            let home = find(&client, &installation).await?;
            let people = client.person_list(&home, &Paging::from(&list)).await?;
            print_list(program, list.output.output, &convert::<_, Person>(people))
        }
        InstallationCommand::Person(PersonCommand::Set { whom, role, output }) => {
            person_set(program, &client, &whom, role, output.output).await
        }
        InstallationCommand::Person(PersonCommand::Remove { whom, yes, output }) => {
            person_remove(program, &client, &whom, yes, output.output).await
        }
    }
}

async fn update(
    program: &mut Program,
    client: &Client,
    name_or_id: &str,
    change: UpdateInstallationRequest,
    format: Format,
) -> Result<(), Failure> {
    let home = find(client, name_or_id).await?;
    let change = UpdateInstallationRequest { id: home.id, ..change };
    let changed = client.installation_update(&home.name, change).await?;
    print_one(program, format, Installation::from(changed))
}

async fn delete(
    program: &mut Program,
    client: &Client,
    name_or_id: &str,
    yes: bool,
    format: Format,
) -> Result<(), Failure> {
    let home = find(client, name_or_id).await?;
    if !yes {
        program.console.confirm(&format!(
            "Delete installation/{}? Its people lose their way in, and its history goes with it; this cannot be taken back.",
            clean(&home.name)
        ))?;
    }
    client.installation_delete(&home).await?;
    program.console.talk(&format!("Deleted installation/{}.", clean(&home.name)));
    let reference = format!("installation/{}", home.name);
    print_done(program, format, &DeletedInstallation { id: home.id, name: home.name, deleted: true }, &reference)
}

async fn person_set(
    program: &mut Program,
    client: &Client,
    whom: &PersonOfHome,
    role: HomeRoleWord,
    format: Format,
) -> Result<(), Failure> {
    let home = find(client, &whom.installation).await?;
    let person = find_person(client, &home, &whom.person).await?;
    client.person_update(&home, &person, home_role(role)).await?;
    let changed = HomePerson { role: home_role(role).into(), ..person };
    print_one(program, format, Person::from(changed))
}

async fn person_remove(
    program: &mut Program,
    client: &Client,
    whom: &PersonOfHome,
    yes: bool,
    format: Format,
) -> Result<(), Failure> {
    let home = find(client, &whom.installation).await?;
    let person = find_person(client, &home, &whom.person).await?;
    let (email, name) = (clean(&person.email).into_owned(), clean(&home.name).into_owned());
    if !yes {
        program
            .console
            .confirm(&format!("Take {email} out of installation/{name}? Only a new invitation brings them back."))?;
    }
    client.person_remove(&home, &person).await?;
    program.console.talk(&format!("{email} is out of installation/{name}."));
    let reference = format!("person/{email}");
    let removed = Removed { account_id: person.account_id, email: person.email, removed: true };
    print_done(program, format, &removed, &reference)
}

/// The home of this name or id.
pub(super) async fn find(client: &Client, name_or_id: &str) -> Result<proto::Installation, Failure> {
    let list = client.installation_list(&Paging::ALL).await?;
    let mut found = list.items.into_iter().filter(|home| home.id == name_or_id || home.name == name_or_id);
    match (found.next(), found.next()) {
        (Some(home), None) => Ok(home),
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::Conflict,
            format!("several installations are called {name_or_id:?}"),
            "name it by its id, from `fleetctl get installations`",
        )),
        (None, _) => Err(Failure::new(
            Kind::NotFound,
            format!("there is no installation {name_or_id:?}"),
            "see what there is with `fleetctl get installations`",
        )),
    }
}

/// What homes are called, by their ids. They are a help for reading, so not to be told is no failure.
pub(super) async fn home_names(client: &Client) -> HashMap<String, String> {
    let list = client.installation_list(&Paging::ALL).await;
    list.map(|list| list.items.into_iter().map(|home| (home.id, home.name)).collect()).unwrap_or_default()
}

async fn find_person(client: &Client, home: &proto::Installation, email: &str) -> Result<HomePerson, Failure> {
    let list = client.person_list(home, &Paging::ALL).await?;
    list.items.into_iter().find(|person| person.email.eq_ignore_ascii_case(email) || person.account_id == email).ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("{email:?} is nobody of installation/{}", home.name),
            "see who is there with `fleetctl installation people NAME`, or invite them with `fleetctl org invite EMAIL --home NAME --home-role ROLE`",
        )
    })
}
