//! `fleetctl access`: support's way into a home, with its owner's consent.

use super::claim::fields;
use super::get::convert;
use super::installation;
use crate::Program;
use crate::cli::{AccessApprove, AccessCommand, AccessDecided, AccessList, AccessRequest, Global};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::{print_list, print_one};
use crate::view::consent::Consent;
use kaliun_proto::fleet::v1::{self as proto, ConsentState, RequestConsentRequest};
use std::ops::RangeInclusive;

/// How long an access may be: the contract's bounds.
const DURATION_SECONDS: RangeInclusive<u32> = 900..=604_800;
/// How often a decision is asked for, seconds: an owner takes minutes.
const ASK_AGAIN_SECONDS: u32 = 5;
/// The same while the server does not answer.
const ASK_AGAIN_LONGEST_SECONDS: u32 = 60;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: AccessCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        AccessCommand::Request(arguments) => request(program, &client, arguments).await,
        AccessCommand::List(AccessList { open, list }) => {
            let consents = client.consent_list(open, &Paging::from(&list)).await?;
            print_list(program, list.output.output, &convert::<_, Consent>(consents))
        }
        AccessCommand::Approve(arguments) => approve(program, &client, arguments).await,
        AccessCommand::Deny(AccessDecided { access, output }) => {
            let denied = client.consent_decide(access, false).await?;
            program.console.talk(&format!("{} stays out.", clean(&denied.asked_by)));
            print_one(program, output.output, Consent::from(denied))
        }
        AccessCommand::End(AccessDecided { access, output }) => {
            let ended = client.consent_end(access).await?;
            program.console.talk(&format!("{} is out.", clean(&ended.asked_by)));
            print_one(program, output.output, Consent::from(ended))
        }
    }
}

async fn request(program: &mut Program, client: &Client, arguments: AccessRequest) -> Result<(), Failure> {
    let duration_seconds = u32::try_from(arguments.time.as_secs())
        .ok()
        .filter(|seconds| DURATION_SECONDS.contains(seconds))
        .ok_or_else(|| Failure::usage("--for is too short or too long", "take 15m to 7d"))?;
    let home = installation::find(client, &arguments.installation).await?;
    let name = clean(&home.name).into_owned();
    let request = RequestConsentRequest { installation_id: home.id, reason: arguments.reason, duration_seconds };
    let asked = client.consent_request(&home.name, request).await?;
    program.console.talk(&format!("Asked the owners of installation/{name}."));
    if !arguments.wait {
        return print_one(program, arguments.output.output, Consent::from(asked));
    }
    program.console.talk("Waiting for one of them to decide. Ctrl-C ends the wait; they stay asked.");
    let decided = wait(program, client, asked).await?;
    let state = decided.state();
    let shown = Consent::from(decided);
    let until = shown.until.map(|until| until.relative((program.clock)())).unwrap_or_default();
    let id = shown.id.clone();
    print_one(program, arguments.output.output, shown)?;
    match state {
        ConsentState::Granted => {
            program.console.talk(&format!("You may act in installation/{name} now. It ends by itself {until}."));
            Ok(())
        }
        ConsentState::Denied => Err(Failure::new(
            Kind::Denied,
            format!("an owner of installation/{name} said no"),
            "talk to them, and ask again with a reason that they understand",
        )),
        ConsentState::Expired => Err(Failure::new(
            Kind::Timeout,
            format!("no owner of installation/{name} decided in time"),
            "talk to them, and ask again",
        )),
        ConsentState::Ended => {
            Err(Failure::new(Kind::State, format!("access/{id} was granted and is over already"), "ask again"))
        }
        ConsentState::Waiting | ConsentState::Unspecified => Err(Failure::new(
            Kind::General,
            format!("the server does not say how access/{id} is"),
            "compare the versions with `fleetctl version`",
        )),
    }
}

/// Asks until somebody has decided. A server that does not answer for a while is waited for, too.
async fn wait(program: &mut Program, client: &Client, asked: proto::Consent) -> Result<proto::Consent, Failure> {
    let mut consent = asked;
    let mut seconds = ASK_AGAIN_SECONDS;
    while consent.state() == ConsentState::Waiting {
        tokio::time::sleep(program.second.saturating_mul(seconds)).await;
        match find(client, &consent.id).await {
            Ok(found) => {
                consent = found;
                seconds = ASK_AGAIN_SECONDS;
            }
            Err(failure) if matches!(failure.kind, Kind::General | Kind::Timeout) => {
                if seconds == ASK_AGAIN_SECONDS {
                    program.console.talk(&format!("warning: {}; still trying", failure.message));
                }
                seconds = seconds.saturating_mul(2).min(ASK_AGAIN_LONGEST_SECONDS);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(consent)
}

async fn approve(program: &mut Program, client: &Client, arguments: AccessApprove) -> Result<(), Failure> {
    let asked = find(client, &arguments.access).await?;
    let shown = Consent::from(asked.clone());
    program.console.talk("Who wants to come in, and why (name and reason are their words):");
    let seen = [
        ("Who", asked.asked_by.as_str()),
        ("Name", asked.asked_by_name.as_str()),
        ("Home", shown.installation.label()),
        ("For", &shown.length()),
        ("Why", asked.reason.as_str()),
    ];
    for line in fields(&seen) {
        program.console.talk(&line);
    }
    if !arguments.yes {
        program.console.confirm(&format!(
            "Let them see the home and act on its box for {}? You can end it at any time with `fleetctl access end`.",
            shown.length()
        ))?;
    }
    let granted = client.consent_decide(asked.id, true).await?;
    program.console.talk(&format!("{} may come in.", clean(&granted.asked_by)));
    print_one(program, arguments.output.output, Consent::from(granted))
}

/// There is no call for a single one, so the list is searched, newest first.
async fn find(client: &Client, id: &str) -> Result<proto::Consent, Failure> {
    let list = client.consent_list(false, &Paging::ALL).await?;
    list.items.into_iter().find(|consent| consent.id == id).ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("there is no access/{id}"),
            "see what there is with `fleetctl access list`",
        )
    })
}
