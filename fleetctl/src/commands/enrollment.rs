//! `fleetctl enrollment`.

use super::claim::{fields, said_by};
use super::get::convert;
use super::installation;
use crate::Program;
use crate::cli::{EnrollmentApprove, EnrollmentCommand, EnrollmentDeny, Format, Global};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::{print_document, print_done, print_list};
use crate::view::claim::Approved;
use crate::view::enrollment::{DeniedEnrollment, EnrollmentView};
use crate::view::event::DeviceReference;
use kaliun_proto::fleet::v1::{ApproveEnrollmentRequest, ApproveEnrollmentResponse, Enrollment};
use kaliun_types::id::EnrollmentId;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: EnrollmentCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        EnrollmentCommand::List(arguments) => {
            let list = client.enrollment_list(&Paging::from(&arguments)).await?;
            print_list(program, arguments.output.output, &convert::<_, EnrollmentView>(list))
        }
        EnrollmentCommand::Approve(arguments) => approve(program, &client, arguments).await,
        EnrollmentCommand::Deny(arguments) => deny(program, &client, arguments).await,
    }
}

async fn approve(program: &mut Program, client: &Client, arguments: EnrollmentApprove) -> Result<(), Failure> {
    let waiting = match find(client, &arguments.enrollment).await {
        Ok(waiting) => waiting,
        // It was taken in before, and whoever said so did not get the answer.
        Err(failure) if failure.kind == Kind::NotFound && arguments.enrollment.parse::<EnrollmentId>().is_ok() => {
            let request = ApproveEnrollmentRequest {
                id: arguments.enrollment,
                // Of nothing: a box that begins to wait only now has not been looked at.
                facts_hash: vec![0; 32],
                ..ApproveEnrollmentRequest::default()
            };
            let answer = client.enrollment_approve(request).await.map_err(|_| failure)?;
            program.console.talk(&format!("It was taken in before, as device/{}.", clean(&answer.device_name)));
            return print_approved(program, arguments.output.output, answer, String::new());
        }
        Err(failure) => return Err(failure),
    };
    let installation_id = match &arguments.installation {
        Some(installation) => installation::find(client, installation).await?.id,
        None => String::new(),
    };
    for line in introduction(&waiting) {
        program.console.talk(&line);
    }
    if !arguments.yes {
        program.console.confirm("Take it in?")?;
    }
    let request = ApproveEnrollmentRequest {
        id: waiting.id,
        installation_id,
        name: arguments.name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        labels: arguments.labels.into_iter().map(|label| (label.key, label.value)).collect(),
        // What was shown, and nothing else.
        facts_hash: waiting.facts_hash,
    };
    let answer = client.enrollment_approve(request).await?;
    program.console.talk(&format!("Took in device/{}.", clean(&answer.device_name)));
    print_approved(program, arguments.output.output, answer, waiting.key_fingerprint)
}

fn print_approved(
    program: &mut Program,
    format: Format,
    answer: ApproveEnrollmentResponse,
    key_fingerprint: String,
) -> Result<(), Failure> {
    let approved = Approved {
        device: DeviceReference { id: answer.device_id, name: answer.device_name },
        key_fingerprint: Some(key_fingerprint).filter(|fingerprint| !fingerprint.is_empty()),
    };
    match format {
        Format::Json | Format::Yaml => print_document(program, format, &approved),
        Format::Table | Format::Wide | Format::Name => {
            program.console.print_line(&format!("device/{}", clean(&approved.device.name)))
        }
    }
}

async fn deny(program: &mut Program, client: &Client, arguments: EnrollmentDeny) -> Result<(), Failure> {
    let waiting = find(client, &arguments.enrollment).await?;
    client.enrollment_deny(waiting.id.clone()).await?;
    let name = format!("enrollment/{}", waiting.id);
    program.console.talk(&format!("Turned {name} away."));
    print_done(program, arguments.output.output, &DeniedEnrollment { id: waiting.id, denied: true }, &name)
}

fn introduction(waiting: &Enrollment) -> Vec<String> {
    let seen = [
        ("Key", waiting.key_fingerprint.as_str()),
        ("Comes from", waiting.source_address.as_str()),
        ("Join token", waiting.join_token_description.as_str()),
        ("Will be", waiting.name.as_str()),
    ];
    let mut lines = vec!["What the server sees of the box:".to_owned()];
    lines.extend(fields(&seen));
    lines.extend(said_by(&waiting.facts.clone().unwrap_or_default()));
    lines
}

async fn find(client: &Client, name_or_id: &str) -> Result<Enrollment, Failure> {
    let list = client.enrollment_list(&Paging::ALL).await?;
    let mut found = list.items.into_iter().filter(|waiting| waiting.id == name_or_id || waiting.name == name_or_id);
    match (found.next(), found.next()) {
        (Some(waiting), None) => Ok(waiting),
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::Conflict,
            format!("several boxes that wait would be called {name_or_id:?}"),
            "name it by its id, from `fleetctl enrollment list`",
        )),
        (None, _) => Err(Failure::new(
            Kind::NotFound,
            format!("no box {name_or_id:?} waits"),
            "see what waits with `fleetctl enrollment list`",
        )),
    }
}
