//! `fleetctl device decommission`, `device replace` and `device readopt`.

use crate::Program;
use crate::cli::{DeviceDecommission, DeviceReadopt, DeviceReplace, Global};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::print_one;
use crate::view::device::Device;
use kaliun_types::id::DeviceId;

/// Ends a device's service.
pub(super) async fn decommission(
    program: &mut Program,
    global: &Global,
    arguments: DeviceDecommission,
) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let device = client.device(&arguments.device).await?;
    if !arguments.yes {
        let wipe = if arguments.wipe_identity { " The box deletes its identity when it is told." } else { "" };
        program.console.confirm(&format!(
            "Take device/{} out of service for good? It is cut off at once and cannot come back with its key; this cannot be taken back.{wipe}",
            device.name
        ))?;
    }
    let ended = client.device_decommission(&device, arguments.wipe_identity).await?;
    program.console.talk(&format!("device/{} is out of service. {}", device.name, told(arguments.wipe_identity)));
    print_one(program, arguments.output.output, Device::from(ended))
}

/// Gives a device's home to another one.
pub(super) async fn replace(program: &mut Program, global: &Global, arguments: DeviceReplace) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let old = client.device(&arguments.device).await?;
    let new = client.device(&arguments.with).await?;
    if !arguments.yes {
        let home = if old.installation_name.is_empty() { "its home" } else { old.installation_name.as_str() };
        program.console.confirm(&format!(
            "Let device/{} serve {home} in place of device/{}? The old box is taken out of service for good; this cannot be taken back.",
            new.name, old.name
        ))?;
    }
    let (old, new) = client.device_replace(&old, &new, arguments.wipe_identity).await?;
    program.console.talk(&format!(
        "device/{} serves {} now. device/{} is out of service. {}",
        new.name,
        new.installation_name,
        old.name,
        told(arguments.wipe_identity)
    ));
    print_one(program, arguments.output.output, Device::from(new))
}

/// Chooses between boxes that use one identity, or takes a device back.
pub(super) async fn readopt(program: &mut Program, global: &Global, arguments: DeviceReadopt) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let Some(kept) = arguments.keep_boot else { return take_back(program, &client, arguments).await };
    let device = client.device(&arguments.device).await?;
    if !arguments.yes {
        program.console.confirm(&format!(
            "Let the box with boot {} go on as device/{}? Every other box that was seen with this identity is refused.",
            kept, device.name
        ))?;
    }
    let chosen = client.device_readopt(&device, kept).await?;
    program.console.talk(
        "The others are refused until they start again, for they have a copy of the key. Give each a key of its own, or wipe it: kaliun-edge enroll --new-key",
    );
    print_one(program, arguments.output.output, Device::from(chosen))
}

/// Takes a device back that the server has no record of.
async fn take_back(program: &mut Program, client: &Client, arguments: DeviceReadopt) -> Result<(), Failure> {
    let id: DeviceId = arguments.device.parse().map_err(|_| {
        Failure::usage(
            "a device that is taken back is named by its id",
            "see its id with `fleetctl audit posture`; to choose between boxes of one identity add --keep-boot BOOT",
        )
    })?;
    if !arguments.yes {
        program.console.confirm(&format!(
            "Take device/{id} back? The server gave it a certificate and has no record of it; it counts as yours again."
        ))?;
    }
    let device = client.device_take_back(id, arguments.name.as_ref()).await?;
    program.console.talk(&format!(
        "device/{} is known again. Its box comes in by itself within a minute; its labels and home are yours to set.",
        device.name
    ));
    print_one(program, arguments.output.output, Device::from(device))
}

/// When the old box learns of it.
fn told(wipe_identity: bool) -> &'static str {
    if wipe_identity {
        "Its box deletes its identity as soon as it hears of that: at once when it is online, else when it comes."
    } else {
        "Its box is told why, at once when it is online, else when it comes."
    }
}
