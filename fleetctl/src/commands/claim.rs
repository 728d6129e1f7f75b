//! `fleetctl claim`.

use crate::Program;
use crate::cli::{ClaimApprove, ClaimCommand, ClaimDeny, Format, Global};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::print_document;
use crate::output::text::clean;
use crate::output::time::Time;
use crate::view::claim::Approved;
use crate::view::event::DeviceReference;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, Claim};

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: ClaimCommand) -> Result<(), Failure> {
    match command {
        ClaimCommand::Approve(arguments) => approve(program, global, arguments).await,
        ClaimCommand::Deny(arguments) => deny(program, global, arguments).await,
    }
}

async fn approve(program: &mut Program, global: &Global, arguments: ClaimApprove) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let claim = client.claim(&arguments.code).await?;
    let installation_id = match &arguments.installation {
        Some(installation) => find_installation(&client, installation).await?,
        None => String::new(),
    };
    introduce(program, &claim);
    if !arguments.yes {
        program.console.confirm("Does the box's screen show the same key? Take it in?")?;
    }
    let request = ApproveClaimRequest {
        code: arguments.code,
        installation_id,
        name: arguments.name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        labels: arguments.labels.into_iter().map(|label| (label.key, label.value)).collect(),
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

async fn deny(program: &mut Program, global: &Global, arguments: ClaimDeny) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    client.claim_deny(&arguments.code).await?;
    program.console.talk("Turned the box away.");
    Ok(())
}

/// Shows what is known of the box, and whose words they are: anyone can print a code and claim to be a box.
fn introduce(program: &mut Program, claim: &Claim) {
    let facts = claim.facts.clone().unwrap_or_default();
    let expires = Time::from_ms(claim.expires_at_ms).map(|time| time.relative((program.clock)()));
    let cores = if facts.cpu_count > 0 { facts.cpu_count.to_string() } else { String::new() };
    let addresses = facts.addresses.join(", ");
    let seen = [
        ("Key", claim.key_fingerprint.as_str()),
        ("Comes from", claim.source_address.as_str()),
        ("Code expires", expires.as_deref().unwrap_or_default()),
    ];
    let said = [
        ("Host name", facts.hostname.as_str()),
        ("Model", facts.model.as_str()),
        ("System", facts.operating_system.as_str()),
        ("Architecture", facts.architecture.as_str()),
        ("Cores", cores.as_str()),
        ("Addresses", addresses.as_str()),
        ("Agent", facts.agent_version.as_str()),
    ];
    program.console.talk("What the server sees of the box:");
    talk_fields(program, &seen);
    program.console.talk("What the box says of itself (its own words, not checked):");
    talk_fields(program, &said);
}

fn talk_fields(program: &mut Program, fields: &[(&str, &str)]) {
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        program.console.talk(&format!("  {:<14}{}", format!("{name}:"), clean(value)));
    }
}

async fn find_installation(client: &Client, name_or_id: &str) -> Result<String, Failure> {
    let list = client.installation_list(&Paging::ALL).await?;
    let mut found = list.items.iter().filter(|home| home.id == name_or_id || home.name == name_or_id);
    match (found.next(), found.next()) {
        (Some(home), None) => Ok(home.id.clone()),
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
