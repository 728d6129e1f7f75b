//! `fleetctl claim`.

use super::installation;
use crate::Program;
use crate::cli::{ClaimApprove, ClaimCommand, ClaimDeny, ClaimShow, Format, Global, parse_check};
use crate::client::Client;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::time::Time;
use crate::output::{print_document, print_done};
use crate::view::claim::{Approved, ClaimView, Denied};
use crate::view::event::DeviceReference;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, Claim};
use kaliun_proto::telemetry::v1::Facts;
use kaliun_types::claim_check::CheckCharacters;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: ClaimCommand) -> Result<(), Failure> {
    match command {
        ClaimCommand::Show(arguments) => show(program, global, arguments).await,
        ClaimCommand::Approve(arguments) => approve(program, global, arguments).await,
        ClaimCommand::Deny(arguments) => deny(program, global, arguments).await,
    }
}

async fn show(program: &mut Program, global: &Global, arguments: ClaimShow) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let claim = client.claim(&arguments.code).await?;
    match arguments.output.output {
        Format::Json | Format::Yaml => {
            print_document(program, arguments.output.output, &ClaimView::new(arguments.code, claim))
        }
        Format::Table | Format::Wide => {
            for line in introduction(&claim, (program.clock)()) {
                program.console.print_line(&line)?;
            }
            program.console.talk(if claim.shows_check {
                "The box's screen shows its check characters now; `fleetctl claim approve` asks for them."
            } else {
                "The box has not answered yet, so its screen shows no check characters. See whether it is switched on and online, then look the code up again."
            });
            Ok(())
        }
        Format::Name => program.console.print_line(&format!("claim/{}", arguments.code)),
    }
}

async fn approve(program: &mut Program, global: &Global, arguments: ClaimApprove) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let claim = client.claim(&arguments.code).await?;
    let installation_id = match &arguments.installation {
        Some(installation) => installation::find(&client, installation).await?.id,
        None => String::new(),
    };
    for line in introduction(&claim, (program.clock)()) {
        program.console.talk(&line);
    }
    let check = match arguments.check {
        Some(check) => check,
        None if !claim.shows_check => {
            return Err(Failure::new(
                Kind::Conflict,
                "the box has not answered yet, so its screen shows no check characters",
                "see whether it is switched on and online, and run the command again",
            ));
        }
        None => ask_for_check(program, &arguments.code)?,
    };
    let request = ApproveClaimRequest {
        code: arguments.code,
        installation_id,
        name: arguments.name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        labels: arguments.labels.into_iter().map(|label| (label.key, label.value)).collect(),
        check: check.as_str().to_owned(),
    };
    let answer = client.claim_approve(request).await?;
    program.console.talk(&format!("Took in device/{}.", clean(&answer.device_name)));
    let approved = Approved {
        device: DeviceReference { id: answer.device_id, name: answer.device_name },
        key_fingerprint: Some(claim.key_fingerprint).filter(|fingerprint| !fingerprint.is_empty()),
    };
    match arguments.output.output {
        Format::Json | Format::Yaml => print_document(program, arguments.output.output, &approved),
        Format::Table | Format::Wide | Format::Name => {
            program.console.print_line(&format!("device/{}", clean(&approved.device.name)))
        }
    }
}

/// Only whoever stands before the box can answer.
fn ask_for_check(program: &mut Program, code: &str) -> Result<CheckCharacters, Failure> {
    let hint = format!("read them off the box's screen, then run `fleetctl claim approve {code} --check XXXX`");
    program.console.talk("The box's screen shows the same key, and four check characters now. If it does not, it is another box: stop here.");
    let typed = program.console.ask("Check characters: ", &hint)?;
    parse_check(&typed).map_err(|problem| Failure::new(Kind::Usage, problem, hint))
}

async fn deny(program: &mut Program, global: &Global, arguments: ClaimDeny) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    client.claim_deny(&arguments.code).await?;
    program.console.talk("Turned the box away.");
    let name = format!("claim/{}", arguments.code);
    print_done(program, arguments.output.output, &Denied { code: arguments.code, denied: true }, &name)
}

/// What is known of the box, and whose words they are: anyone can print a code and claim to be a box.
fn introduction(claim: &Claim, now_ms: i64) -> Vec<String> {
    let expires = Time::from_ms(claim.expires_at_ms).map(|time| time.relative(now_ms));
    let seen = [
        ("Key", claim.key_fingerprint.as_str()),
        ("Comes from", claim.source_address.as_str()),
        ("Code expires", expires.as_deref().unwrap_or_default()),
    ];
    let mut lines = vec!["What the server sees of the box:".to_owned()];
    lines.extend(fields(&seen));
    lines.extend(said_by(&claim.facts.clone().unwrap_or_default()));
    lines
}

/// The box's own words.
pub(super) fn said_by(facts: &Facts) -> Vec<String> {
    let cores = if facts.cpu_count > 0 { facts.cpu_count.to_string() } else { String::new() };
    let addresses = facts.addresses.join(", ");
    let said = [
        ("Host name", facts.hostname.as_str()),
        ("Model", facts.model.as_str()),
        ("Serial number", facts.serial.as_str()),
        ("System", facts.operating_system.as_str()),
        ("Architecture", facts.architecture.as_str()),
        ("Cores", cores.as_str()),
        ("Addresses", addresses.as_str()),
        ("Agent", facts.agent_version.as_str()),
    ];
    let mut lines = vec!["The box says (its own words, not checked):".to_owned()];
    lines.extend(fields(&said));
    lines
}

pub(super) fn fields(fields: &[(&str, &str)]) -> impl Iterator<Item = String> {
    let known = fields.iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| format!("  {:<14}{}", format!("{name}:"), clean(value)))
}
