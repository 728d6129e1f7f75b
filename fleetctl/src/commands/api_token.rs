//! `fleetctl api-token`.

use super::get::convert;
use crate::Program;
use crate::cli::{ApiTokenCommand, ApiTokenCreate, Format, Global, RoleWord};
use crate::client::Client;
use crate::client::devices::is_id;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::{print_document, print_done, print_list};
use crate::view::token::{ApiToken, NewApiToken, RevokedToken};
use kaliun_proto::fleet::v1::{CreateApiTokenRequest, Role};

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: ApiTokenCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        ApiTokenCommand::Create(arguments) => create(program, &client, arguments).await,
        ApiTokenCommand::List(arguments) => {
            let list = client.api_token_list(&Paging::from(&arguments)).await?;
            print_list(program, arguments.output.output, &convert::<_, ApiToken>(list))
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
    let role = match arguments.role {
        RoleWord::Viewer => Role::Viewer,
        RoleWord::Support => Role::Support,
        RoleWord::Operator => Role::Operator,
        RoleWord::Admin => Role::Admin,
    };
    let request = CreateApiTokenRequest {
        name: arguments.name,
        role: role.into(),
        lifetime_seconds: arguments.lifetime.as_secs(),
        ..CreateApiTokenRequest::default()
    };
    let answer = client.api_token_create(request).await?;
    let new = NewApiToken { api_token: answer.api_token.map(ApiToken::from), secret: answer.secret };
    match arguments.output.output {
        Format::Json | Format::Yaml => print_document(program, arguments.output.output, &new),
        Format::Table | Format::Wide | Format::Name => {
            program.console.print_line(&new.secret)?;
            program.console.talk("This token is shown once. Keep it like a password.");
            Ok(())
        }
    }
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
