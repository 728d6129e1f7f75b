//! `fleetctl ca`.

use super::get::convert;
use crate::Program;
use crate::cli::{CaBundle, CaCommand, CaRotate, CaStart, CaStep, Format, Global};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::Failure;
use crate::output::{print_document, print_done, print_list};
use crate::view::rotation::{Rotation, Straggler, UnsignedBundle, phase};
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use kaliun_proto::fleet::v1 as proto;
use prost::Message;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: CaCommand) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    match command {
        CaCommand::Status(output) => {
            let rotation = client.rotation().await?;
            show(program, output.output, rotation)
        }
        CaCommand::Stragglers(arguments) => {
            let list = client.straggler_list(&Paging::from(&arguments.list), arguments.backwards).await?;
            print_list(program, arguments.list.output.output, &convert::<_, Straggler>(list))
        }
        CaCommand::Rotate(step) => rotate(program, &client, step).await,
        CaCommand::Bundle(CaBundle::Unsigned(arguments)) => {
            let bundle = client.bundle_unsigned().await?;
            write_new(&arguments.to, &bundle.encode_to_vec())?;
            let file = arguments.to.display().to_string();
            program
                .console
                .talk(&format!("It is in {file}. Sign it where its key is, with `control-plane ca sign-bundle`."));
            let trust_bundle_version = TrustBundle::decode(bundle.bundle.as_slice()).ok().map(|bundle| bundle.version);
            let written = UnsignedBundle { file, trust_bundle_version };
            print_done(program, arguments.output.output, &written, &written.file)
        }
        CaCommand::Bundle(CaBundle::Submit(arguments)) => {
            let bundle = read_bundle(&arguments.file)?;
            let after = client.bundle_submit(bundle).await?;
            stepped(program, arguments.output.output, after)
        }
    }
}

/// Largest file with a trust bundle, bytes: a bundle of 64 kB and its signature.
const BUNDLE_FILE_MAX_BYTES: u64 = 80 * 1024;

/// Writes a file, never over another one.
fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    written.map_err(|error| {
        Failure::usage(format!("{} cannot be written: {error}", path.display()), "name a file that does not exist")
    })
}

fn read_bundle(path: &Path) -> Result<SignedTrustBundle, Failure> {
    let hint = "name the file that `control-plane ca sign-bundle` wrote";
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BUNDLE_FILE_MAX_BYTES).read_to_end(&mut content))
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display()), hint))?;
    SignedTrustBundle::decode(content.as_slice())
        .ok()
        .filter(|bundle| !bundle.signature.is_empty())
        .ok_or_else(|| Failure::usage(format!("{} holds no signed trust bundle", path.display()), hint))
}

async fn rotate(program: &mut Program, client: &Client, step: CaRotate) -> Result<(), Failure> {
    match step {
        CaRotate::Start(arguments) => start(program, client, arguments).await,
        CaRotate::Advance(arguments) => {
            let now = client.rotation().await?;
            let CaStep { force, yes, output } = arguments;
            ask(program, yes, &advance_question(&now))?;
            let after = client.rotation_advance(now.phase, force).await?;
            stepped(program, output.output, after)
        }
        CaRotate::Rollback(arguments) => {
            let now = client.rotation().await?;
            let CaStep { force, yes, output } = arguments;
            ask(program, yes, &format!("Go back from the phase {}?", phase(now.phase())))?;
            let after = client.rotation_roll_back(now.phase, force).await?;
            stepped(program, output.output, after)
        }
        CaRotate::Pause(arguments) => {
            let after = client.rotation_pause(arguments.reason).await?;
            program.console.talk("The rotation stands still until it is resumed.");
            show(program, arguments.output.output, after)
        }
        CaRotate::Resume(arguments) => {
            let after = client.rotation_resume().await?;
            program.console.talk("The rotation goes on.");
            show(program, arguments.output.output, after)
        }
    }
}

async fn start(program: &mut Program, client: &Client, arguments: CaStart) -> Result<(), Failure> {
    let CaStart { automatic, grace, force, yes, output } = arguments;
    let question = if automatic {
        "Make a new authority, bring all devices to believe it, and end the old one, all by itself? It can be paused and taken back until \
         the old one is gone."
    } else {
        "Make a new authority and bring all devices to believe it? Each phase can be taken back."
    };
    ask(program, yes, question)?;
    let after = client.rotation_start(automatic.then_some(grace), force).await?;
    stepped(program, output.output, after)
}

fn ask(program: &mut Program, yes: bool, question: &str) -> Result<(), Failure> {
    if yes { Ok(()) } else { program.console.confirm(question) }
}

fn stepped(program: &mut Program, format: Format, after: proto::Rotation) -> Result<(), Failure> {
    program.console.talk(&format!("The rotation is in the phase {} now.", phase(after.phase())));
    show(program, format, after)
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
