//! `fleetctl describe`, `device label`, `device rename` and `delete`.

use super::pair::{LabelChange, parse_change};
use super::target::parse_device;
use super::{Output, duration};
use clap::{Args, Subcommand};
use kaliun_types::id::BootId;
use kaliun_types::name::DeviceName;
use std::time::Duration;

/// Show all about one device.
#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The device, by name or id.
    #[arg(value_name = "device/NAME", value_parser = parse_device)]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) output: Output,
    /// How many of the newest events to show.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=500))]
    pub(crate) events: u32,
    /// How many of the newest certificates to show.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=500))]
    pub(crate) certificates: u32,
}

/// Label or rename a device.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Set and remove labels: site=graz sets one, site- removes it.
    Label(DeviceLabel),
    /// Give a device another name.
    Rename(DeviceRename),
    /// Take a box's right to connect away, for example of a stolen one; its link is cut at once.
    Revoke(DeviceRevoke),
    /// Let a box that was away for too long come back by itself.
    Extend(DeviceExtend),
    /// End a device's service for good; its box is told, and deletes its identity where that is asked for.
    Decommission(DeviceDecommission),
    /// Give a device's home to another box, and end the first one's service.
    Replace(DeviceReplace),
    /// Choose between boxes that use one identity, or take a device back that the server forgot when its database came back from a backup.
    Readopt(DeviceReadopt),
}

/// Choose between boxes that use one identity, or take a device back.
#[derive(Debug, Args)]
pub(crate) struct DeviceReadopt {
    /// The device, as device/NAME or device/ID. One that is taken back has only its id, as `audit posture` names it.
    #[arg(value_name = "device/NAME", value_parser = parse_deletable)]
    pub(crate) device: String,
    /// The kernel's boot id of the box that goes on, as the device's events and `audit posture` name it. Left out to take a device back.
    #[arg(long, value_name = "BOOT")]
    pub(crate) keep_boot: Option<BootId>,
    /// The name of a device that is taken back.
    #[arg(long, value_name = "NAME", value_parser = parse_name, conflicts_with = "keep_boot")]
    pub(crate) name: Option<DeviceName>,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// End a device's service for good.
#[derive(Debug, Args)]
pub(crate) struct DeviceDecommission {
    /// The device, as device/NAME or device/ID.
    #[arg(value_name = "device/NAME", value_parser = parse_deletable)]
    pub(crate) device: String,
    /// Also let the box delete its key, its certificate and what it has recorded, when it is told.
    #[arg(long)]
    pub(crate) wipe_identity: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Give a device's home to another box.
#[derive(Debug, Args)]
pub(crate) struct DeviceReplace {
    /// The device that serves the home now, as device/NAME or device/ID.
    #[arg(value_name = "device/OLD", value_parser = parse_deletable)]
    pub(crate) device: String,
    /// The device that shall serve it, as device/NAME or device/ID.
    #[arg(long, value_name = "device/NEW", value_parser = parse_deletable)]
    pub(crate) with: String,
    /// Also let the old box delete its key, its certificate and what it has recorded, when it is told.
    #[arg(long)]
    pub(crate) wipe_identity: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Take a box's right to connect away.
#[derive(Debug, Args)]
pub(crate) struct DeviceRevoke {
    /// The device, as device/NAME or device/ID.
    #[arg(value_name = "device/NAME", value_parser = parse_deletable)]
    pub(crate) device: String,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Let a box that was away for too long come back by itself.
#[derive(Debug, Args)]
pub(crate) struct DeviceExtend {
    /// The device, by name or id.
    #[arg(value_name = "device/NAME", value_parser = parse_device)]
    pub(crate) device: String,
    /// For so long from now on, for example 12h or 30d.
    #[arg(long = "for", value_name = "TIME", default_value = "30d", value_parser = duration::parse)]
    pub(crate) time: Duration,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Set and remove labels.
#[derive(Debug, Args)]
pub(crate) struct DeviceLabel {
    /// The device, by name or id.
    #[arg(value_name = "device/NAME", value_parser = parse_device)]
    pub(crate) device: String,
    /// KEY=VALUE to set, KEY- to remove.
    #[arg(required = true, value_name = "CHANGE", value_parser = parse_change)]
    pub(crate) changes: Vec<LabelChange>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Give a device another name.
#[derive(Debug, Args)]
pub(crate) struct DeviceRename {
    /// The device, by name or id.
    #[arg(value_name = "device/NAME", value_parser = parse_device)]
    pub(crate) device: String,
    /// The new name: 1 to 63 of a-z, 0-9 and -.
    #[arg(value_parser = parse_name)]
    pub(crate) new_name: DeviceName,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Forget devices.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The devices, each as device/NAME or device/ID.
    #[arg(required = true, value_name = "device/NAME", value_parser = parse_deletable)]
    pub(crate) devices: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What cannot be taken back wants the noun spelled out: a bare word could have been meant for another kind of thing.
fn parse_deletable(text: &str) -> Result<String, String> {
    if !text.contains('/') {
        return Err(format!("write device/{text} to mean the device of that name"));
    }
    parse_device(text)
}

pub(crate) fn parse_name(text: &str) -> Result<DeviceName, String> {
    DeviceName::parse(text).map_err(|error| error.to_string())
}
