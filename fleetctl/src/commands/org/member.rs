//! `fleetctl org member`.

use super::super::role::role;
use crate::Program;
use crate::cli::{Global, MemberCommand};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::{print_done, print_one};
use crate::view::organization::{Member, Removed};
use kaliun_proto::fleet::v1 as proto;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: MemberCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        MemberCommand::Set { member, role: word, output } => {
            let found = find(&client, &member).await?;
            client.member_update(&found, role(word)).await?;
            print_one(program, output.output, Member::from(proto::Member { role: role(word).into(), ..found }))
        }
        MemberCommand::Remove { member, yes, output } => {
            let found = find(&client, &member).await?;
            let email = clean(&found.email).into_owned();
            if !yes {
                program.console.confirm(&format!(
                    "Take {email} out of the organization and out of all its homes? Only a new invitation brings them back."
                ))?;
            }
            client.member_remove(&found).await?;
            program.console.talk(&format!("{email} is out of the organization."));
            let reference = format!("member/{email}");
            let removed = Removed { account_id: found.account_id, email: found.email, removed: true };
            print_done(program, output.output, &removed, &reference)
        }
    }
}

async fn find(client: &Client, email: &str) -> Result<proto::Member, Failure> {
    let list = client.member_list(&Paging::ALL).await?;
    let is_meant = |member: &proto::Member| member.email.eq_ignore_ascii_case(email) || member.account_id == email;
    list.items.into_iter().find(is_meant).ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("{email:?} has no role in the whole organization"),
            "see who has with `fleetctl org members`, or invite them with `fleetctl org invite EMAIL --role ROLE`",
        )
    })
}
