//! `fleetctl join-token`.

use super::get::convert;
use crate::Program;
use crate::cli::{Format, Global, JoinTokenCommand, JoinTokenCreate};
use crate::client::Client;
use crate::client::devices::is_id;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::{print_document, print_done, print_list};
use crate::view::token::{JoinToken, NewJoinToken, RevokedToken};
use kaliun_proto::fleet::v1::CreateJoinTokenRequest;
use std::collections::HashMap;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: JoinTokenCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        JoinTokenCommand::Create(arguments) => create(program, &client, arguments).await,
        JoinTokenCommand::List(arguments) => {
            let list = client.join_token_list(&Paging::from(&arguments)).await?;
            print_list(program, arguments.output.output, &convert::<_, JoinToken>(list))
        }
        JoinTokenCommand::Revoke { token, output } => {
            let id = if is_id(&token) { token } else { find(&client, &token).await? };
            client.join_token_revoke(id.clone()).await?;
            program.console.talk(&format!("Revoked join-token/{id}. Boxes that enrolled with it stay."));
            let name = format!("join-token/{id}");
            print_done(program, output.output, &RevokedToken { id, revoked: true }, &name)
        }
    }
}

async fn create(program: &mut Program, client: &Client, arguments: JoinTokenCreate) -> Result<(), Failure> {
    let mut labels: HashMap<String, String> =
        arguments.labels.into_iter().map(|label| (label.key, label.value)).collect();
    if let Some(group) = arguments.group
        && let Some(other) = labels.insert("group".to_owned(), group)
    {
        return Err(Failure::usage(
            format!("the label group is given twice, as --group and as group={other}"),
            "leave one of them out",
        ));
    }
    let request = CreateJoinTokenRequest {
        description: arguments.description,
        lifetime_seconds: arguments.lifetime.as_secs(),
        max_uses: arguments.uses,
        labels,
        name_pattern: arguments.name_pattern.unwrap_or_default(),
        needs_approval: arguments.approval,
    };
    let answer = client.join_token_create(request).await?;
    let new = NewJoinToken { join_token: answer.join_token.map(JoinToken::from), secret: answer.secret };
    match arguments.output.output {
        Format::Json | Format::Yaml => print_document(program, arguments.output.output, &new),
        Format::Table | Format::Wide | Format::Name => {
            program.console.print_line(&new.secret)?;
            program.console.talk("This token is shown once. Whoever has it can enrol boxes.");
            Ok(())
        }
    }
}

async fn find(client: &Client, description: &str) -> Result<String, Failure> {
    let list = client.join_token_list(&Paging::ALL).await?;
    let mut found = list.items.into_iter().filter(|token| token.revoked_at_ms == 0 && token.description == description);
    match (found.next(), found.next()) {
        (Some(token), None) => Ok(token.id),
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::Conflict,
            format!("several join tokens are described as {description:?}"),
            "name it by its id, from `fleetctl get join-tokens`",
        )),
        (None, _) => Err(Failure::new(
            Kind::NotFound,
            format!("there is no valid join token {description:?}"),
            "see what there is with `fleetctl get join-tokens`",
        )),
    }
}
