//! `fleetctl api-token`.

use super::installation;
use super::role::role;
use crate::Program;
use crate::cli::{ApiTokenCommand, ApiTokenCreate, Format, Global};
use crate::client::Client;
use crate::client::devices::is_id;
use crate::client::pages::{Listing, Paging};
use crate::failure::{Failure, Kind};
use crate::output::{print_document, print_done, print_list};
use crate::view::token::{ApiToken, NewApiToken, RevokedToken};
use kaliun_proto::fleet::v1::CreateApiTokenRequest;
use std::collections::HashMap;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: ApiTokenCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        ApiTokenCommand::Create(arguments) => create(program, &client, arguments).await,
        ApiTokenCommand::List(arguments) => {
            let list = list(&client, &Paging::from(&arguments)).await?;
            print_list(program, arguments.output.output, &list)
        }
        ApiTokenCommand::Revoke { token, output } => {
            let id = if is_id(&token) { token } else { find(&client, &token).await? };
            client.api_token_revoke(id.clone()).await?;
            program.console.talk(&format!("Revoked api-token/{id}."));
            let name = format!("api-token/{id}");
            print_done(program, output.output, &RevokedToken { id, revoked: true }, &name)
        }
    }
}

async fn create(program: &mut Program, client: &Client, arguments: ApiTokenCreate) -> Result<(), Failure> {
    let mut installation_ids = Vec::new();
    let mut homes = HashMap::new();
    for name in &arguments.installations {
        let home = installation::find(client, name).await?;
        if homes.insert(home.id.clone(), home.name).is_none() {
            installation_ids.push(home.id);
        }
    }
    let request = CreateApiTokenRequest {
        name: arguments.name,
        role: role(arguments.role).into(),
        lifetime_seconds: arguments.lifetime.as_secs(),
        installation_ids,
    };
    let answer = client.api_token_create(request).await?;
    let new =
        NewApiToken { api_token: answer.api_token.map(|token| ApiToken::new(token, &homes)), secret: answer.secret };
    match arguments.output.output {
        Format::Json | Format::Yaml => print_document(program, arguments.output.output, &new),
        Format::Table | Format::Wide | Format::Name => {
            program.console.print_line(&new.secret)?;
            program.console.talk("This token is shown once. Keep it like a password.");
            Ok(())
        }
    }
}

/// API tokens, with the names of the homes that they reach.
pub(super) async fn list(client: &Client, paging: &Paging) -> Result<Listing<ApiToken>, Failure> {
    let list = client.api_token_list(paging).await?;
    let reaches_homes = list.items.iter().any(|token| !token.installation_ids.is_empty());
    let homes = if reaches_homes { installation::home_names(client).await } else { HashMap::new() };
    Ok(Listing {
        items: list.items.into_iter().map(|token| ApiToken::new(token, &homes)).collect(),
        next_page_token: list.next_page_token,
    })
}

async fn find(client: &Client, name: &str) -> Result<String, Failure> {
    let list = client.api_token_list(&Paging::ALL).await?;
    let mut found = list.items.into_iter().filter(|token| token.revoked_at_ms == 0 && token.name == name);
    match (found.next(), found.next()) {
        (Some(token), None) => Ok(token.id),
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::Conflict,
            format!("several API tokens are called {name:?}"),
            "name it by its id, from `fleetctl get api-tokens`",
        )),
        (None, _) => Err(Failure::new(
            Kind::NotFound,
            format!("there is no valid API token {name:?}"),
            "see what there is with `fleetctl get api-tokens`",
        )),
    }
}
