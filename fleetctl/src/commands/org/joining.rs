//! `fleetctl org domain` and `fleetctl org claim-rule`.

use crate::Program;
use crate::cli::{ClaimRuleCommand, DomainCommand, Global, RoleWord};
use crate::client::Client;
use crate::client::pages::Listing;
use crate::failure::Failure;
use crate::output::text::clean;
use crate::output::{print_done, print_list, print_one};
use crate::view::joining::{ClaimRule, ConfirmedDomain, DeletedClaimRule, Domain, RemovedDomain};
use kaliun_proto::fleet::v1::{CreateClaimRuleRequest, Role};

/// Runs one of the subcommands about domains.
pub(super) async fn domain(program: &mut Program, global: &Global, command: DomainCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        DomainCommand::Add { name, role, output } => {
            let added = Domain::from(client.domain_create(name, role_of(role)).await?);
            program.console.talk(&format!(
                "Make a TXT record {} that says {}, then run `fleetctl org domain verify {}`.",
                clean(&added.record_name),
                clean(&added.record_text),
                clean(&added.name)
            ));
            print_one(program, output.output, added)
        }
        DomainCommand::Verify { name, output } => {
            let verified = Domain::from(client.domain_verify(name).await?);
            program.console.talk(&format!(
                "{} is the organization's. Whoever signs in through a provider with a confirmed address there becomes {}.",
                clean(&verified.name),
                verified.role
            ));
            print_one(program, output.output, verified)
        }
        DomainCommand::List(output) => {
            let items = client.domain_list().await?.into_iter().map(Domain::from).collect();
            print_list(program, output.output, &Listing { items, next_page_token: None })
        }
        DomainCommand::Remove { name, output } => {
            client.domain_delete(name.clone()).await?;
            program.console.talk(&format!("Gave up {}. Who became a member by it stays one.", clean(&name)));
            let reference = format!("domain/{name}");
            print_done(program, output.output, &RemovedDomain { name, removed: true }, &reference)
        }
        DomainCommand::Confirm { name, of: organization, output } => {
            client.domain_confirm(organization.clone(), name.clone()).await?;
            program.console.talk(&format!("{} is that organization's now.", clean(&name)));
            let reference = format!("domain/{name}");
            print_done(program, output.output, &ConfirmedDomain { name, organization, confirmed: true }, &reference)
        }
    }
}

/// Runs one of the subcommands about claim rules.
pub(super) async fn claim_rule(
    program: &mut Program,
    global: &Global,
    command: ClaimRuleCommand,
) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        ClaimRuleCommand::Create(arguments) => {
            let (claim, value) = arguments.claim;
            let role = role_of(arguments.role).into();
            let request = CreateClaimRuleRequest { provider: arguments.provider, claim, value, role };
            let made = ClaimRule::from(client.claim_rule_create(request).await?);
            program.console.talk("It counts from the next time that somebody signs in through that provider.");
            print_one(program, arguments.output.output, made)
        }
        ClaimRuleCommand::List(output) => {
            let items = client.claim_rule_list().await?.into_iter().map(ClaimRule::from).collect();
            print_list(program, output.output, &Listing { items, next_page_token: None })
        }
        ClaimRuleCommand::Delete { id, output } => {
            client.claim_rule_delete(id.clone()).await?;
            program.console.talk("Deleted it. Who has a role by it loses it when they sign in next.");
            let reference = format!("claim-rule/{id}");
            print_done(program, output.output, &DeletedClaimRule { id, deleted: true }, &reference)
        }
    }
}

fn role_of(word: RoleWord) -> Role {
    match word {
        RoleWord::Viewer => Role::Viewer,
        RoleWord::Support => Role::Support,
        RoleWord::Operator => Role::Operator,
        RoleWord::Admin => Role::Admin,
    }
}
