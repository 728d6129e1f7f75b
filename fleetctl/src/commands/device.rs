//! `fleetctl device` and `fleetctl delete`.

use super::lifecycle;
use crate::Program;
use crate::cli::{
    Delete, DeviceCommand, DeviceExtend, DeviceLabel, DeviceRename, DeviceRevoke, Format, Global, LabelChange,
};
use crate::client::Client;
use crate::client::pages::Listing;
use crate::failure::{Failure, Kind, Tally};
use crate::output::text::clean;
use crate::output::{print_document, print_one};
use crate::view::device::{DeletedDevice, Device};
use kaliun_proto::fleet::v1::UpdateDeviceRequest;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: DeviceCommand) -> Result<(), Failure> {
    match command {
        DeviceCommand::Label(arguments) => label(program, global, arguments).await,
        DeviceCommand::Rename(arguments) => rename(program, global, arguments).await,
        DeviceCommand::Revoke(arguments) => revoke(program, global, arguments).await,
        DeviceCommand::Extend(arguments) => extend(program, global, arguments).await,
        DeviceCommand::Decommission(arguments) => lifecycle::decommission(program, global, arguments).await,
        DeviceCommand::Replace(arguments) => lifecycle::replace(program, global, arguments).await,
        DeviceCommand::Readopt(arguments) => lifecycle::readopt(program, global, arguments).await,
    }
}

async fn label(program: &mut Program, global: &Global, arguments: DeviceLabel) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let device = client.device(&arguments.device).await?;
    let mut change = UpdateDeviceRequest { id: device.id, version: device.version, ..UpdateDeviceRequest::default() };
    for label in arguments.changes {
        match label {
            LabelChange::Set(pair) => {
                change.set_labels.insert(pair.key, pair.value);
            }
            LabelChange::Remove(key) => change.remove_labels.push(key),
        }
    }
    if let Some(key) = change.remove_labels.iter().find(|key| change.set_labels.contains_key(*key)) {
        return Err(Failure::usage(format!("label {key} is both set and removed"), "leave one of them out"));
    }
    let changed = client.device_update(&device.name, change).await?;
    print_one(program, arguments.output.output, Device::from(changed))
}

async fn rename(program: &mut Program, global: &Global, arguments: DeviceRename) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let device = client.device(&arguments.device).await?;
    let change = UpdateDeviceRequest {
        id: device.id,
        version: device.version,
        name: Some(arguments.new_name.as_str().to_owned()),
        ..UpdateDeviceRequest::default()
    };
    let changed = client.device_update(&device.name, change).await?;
    print_one(program, arguments.output.output, Device::from(changed))
}

async fn revoke(program: &mut Program, global: &Global, arguments: DeviceRevoke) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let device = client.device(&arguments.device).await?;
    if !arguments.yes {
        program.console.confirm(&format!(
            "Revoke device/{}? It is cut off at once and cannot come back with its key; this cannot be taken back.",
            device.name
        ))?;
    }
    let revoked = client.device_revoke(&device).await?;
    program.console.talk(&format!("Revoked device/{}. It is cut off, and is told why.", device.name));
    print_one(program, arguments.output.output, Device::from(revoked))
}

async fn extend(program: &mut Program, global: &Global, arguments: DeviceExtend) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let device = client.device(&arguments.device).await?;
    let extended = client.device_extend(&device, arguments.time.as_secs()).await?;
    program.console.talk("When the box is switched on, it gets a new certificate by itself.");
    print_one(program, arguments.output.output, Device::from(extended))
}

/// Forgets devices, each after a question of its own unless told not to ask.
pub(super) async fn delete(program: &mut Program, global: &Global, arguments: Delete) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let (mut tally, mut deleted, mut stopped) = (Tally::default(), Vec::new(), None);
    for name in &arguments.devices {
        match delete_one(program, &client, name, arguments.yes).await {
            Ok(device) => {
                tally.success();
                deleted.push(device);
            }
            // It would end the same way for all that follow.
            Err(failure) if matches!(failure.kind, Kind::Usage | Kind::Denied) => {
                stopped = Some(failure);
                break;
            }
            Err(failure) => tally.failure(failure),
        }
    }
    let printed = print_deleted(program, arguments.output.output, deleted, arguments.devices.len());
    // What failed is told first, whatever became of the output.
    let finished = tally.finish(|failure| program.console.report(failure));
    match stopped {
        Some(failure) => Err(failure),
        None => finished.and(printed),
    }
}

/// Prints what was deleted of so many: one that was named alone is the object itself, several give a list.
fn print_deleted(
    program: &mut Program,
    format: Format,
    deleted: Vec<DeletedDevice>,
    asked: usize,
) -> Result<(), Failure> {
    match (format, deleted.as_slice()) {
        (_, []) | (Format::Table | Format::Wide, _) => Ok(()),
        (Format::Name, all) => {
            all.iter().try_for_each(|device| program.console.print_line(&format!("device/{}", clean(&device.name))))
        }
        (Format::Json | Format::Yaml, [device]) if asked == 1 => print_document(program, format, device),
        (Format::Json | Format::Yaml, _) => {
            print_document(program, format, &Listing { items: deleted, next_page_token: None })
        }
    }
}

async fn delete_one(program: &mut Program, client: &Client, name: &str, yes: bool) -> Result<DeletedDevice, Failure> {
    let device = client.device(name).await?;
    if !yes {
        program.console.confirm(&format!(
            "Delete device/{}? Its certificate is refused from then on, and it must be enrolled anew.",
            device.name
        ))?;
    }
    client.device_delete(&device).await?;
    program.console.talk(&format!("Deleted device/{}.", device.name));
    Ok(DeletedDevice { id: device.id, name: device.name, deleted: true })
}
