//! `fleetctl ca`.

use super::get::convert;
use crate::Program;
use crate::cli::{CaCommand, CaRotate, CaStep, Format, Global};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::Failure;
use crate::output::{print_document, print_list};
use crate::view::rotation::{Rotation, Straggler, phase};
use kaliun_proto::fleet::v1 as proto;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: CaCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        CaCommand::Status(output) => {
            let rotation = client.rotation().await?;
            show(program, output.output, rotation)
        }
        CaCommand::Stragglers(arguments) => {
            let list = client.straggler_list(&Paging { limit: arguments.limit, ..Paging::ALL }).await?;
            print_list(program, arguments.output.output, &convert::<_, Straggler>(list))
        }
        CaCommand::Rotate(step) => rotate(program, &client, step).await,
    }
}

async fn rotate(program: &mut Program, client: &Client, step: CaRotate) -> Result<(), Failure> {
    let now = client.rotation().await?;
    let (arguments, question) = match &step {
        CaRotate::Start(arguments) => (
            arguments,
            "Make a new authority and bring all devices to believe it? Each phase can be taken back.".to_owned(),
        ),
        CaRotate::Advance(arguments) => (arguments, advance_question(&now)),
        CaRotate::Rollback(arguments) => (arguments, format!("Go back from the phase {}?", phase(now.phase()))),
    };
    let CaStep { force, yes, output } = *arguments;
    if !yes {
        program.console.confirm(&question)?;
    }
    let after = match step {
        CaRotate::Start(_) => client.rotation_start().await?,
        CaRotate::Advance(_) => client.rotation_advance(now.phase, force).await?,
        CaRotate::Rollback(_) => client.rotation_roll_back(now.phase, force).await?,
    };
    program.console.talk(&format!("The rotation is in the phase {} now.", phase(after.phase())));
    show(program, output.output, after)
}

fn advance_question(now: &proto::Rotation) -> String {
    match now.phase() {
        proto::RotationPhase::Drain => format!(
            "End the rotation? Authority {} is not believed any more then, and this cannot be taken back.",
            now.current_authority
        ),
        proto::RotationPhase::Trust => "Give devices certificates of the next authority from now on?".to_owned(),
        proto::RotationPhase::Issue => "Show a certificate of the next authority to devices from now on?".to_owned(),
        proto::RotationPhase::Steady | proto::RotationPhase::Unspecified => "Go on to the next phase?".to_owned(),
    }
}

fn show(program: &mut Program, format: Format, rotation: proto::Rotation) -> Result<(), Failure> {
    let rotation = Rotation::from(rotation);
    match format {
        Format::Json | Format::Yaml => print_document(program, format, &rotation),
        Format::Name => program.console.print_line(rotation.phase),
        Format::Table | Format::Wide => {
            let now_ms = (program.clock)();
            rotation.lines(now_ms).iter().try_for_each(|line| program.console.print_line(line))
        }
    }
}
