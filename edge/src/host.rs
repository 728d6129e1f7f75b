//! What the agent needs of the machine it runs on. Two implementations: a Linux machine, and the simulated box.

pub mod linux;

use crate::facts::Machine;
use crate::homeassistant::Observation;
use std::future::Future;

/// One machine.
pub trait Host: Send {
    /// The boot id: new with each boot, at most 64 bytes.
    fn boot_id(&self) -> String;

    /// What the machine is. Asked at each sample; quick.
    fn machine(&mut self) -> Machine;

    /// What can be measured now. Quick; what cannot be measured is left out.
    fn measure(&mut self) -> Measurements;

    /// How Home Assistant is. May take some seconds.
    fn observe_home_assistant(&mut self) -> impl Future<Output = Observation> + Send;
}

/// One reading of a machine. `None` where there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measurements {
    /// Share of all cores' time not idle since the reading before, 0 to 1.
    pub cpu_busy_ratio: Option<f64>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory in all and still to be had, bytes.
    pub memory_bytes: Option<OfTotal>,
    /// The file system of the box's state, bytes.
    pub disk_bytes: Option<OfTotal>,
    /// Its inodes.
    pub disk_inodes: Option<OfTotal>,
    /// The hottest sensor, degrees Celsius.
    pub temperature_celsius: Option<f64>,
    /// Bytes received and sent over all interfaces but loopback since boot.
    pub network_bytes: Option<Traffic>,
    /// Time since boot, seconds.
    pub uptime_seconds: Option<f64>,
    /// Resident memory of the agent, bytes.
    pub agent_resident_bytes: Option<f64>,
}

/// How much there is, and how much of it is left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfTotal {
    /// All of it.
    pub total: f64,
    /// What is left.
    pub available: f64,
}

/// What went over a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// Bytes received.
    pub received: f64,
    /// Bytes sent.
    pub sent: f64,
}
