//! What a fleet keeps from one start to the next.

use crate::up::address::{self, Chosen, Wish};
use crate::up::folder::{StateFolder, write_private};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Simulated boxes when nothing else is said.
const DEVICES: u32 = 5;

/// The usual port of mail servers that deliver nothing.
const MAIL_PORT: u16 = 1025;

/// Addresses and counts of one fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Where people and fleetctl connect.
    pub(crate) public: SocketAddr,
    /// Where boxes connect.
    pub(crate) device: SocketAddr,
    /// Probes and metrics, on loopback.
    pub(crate) internal: SocketAddr,
    /// Where the control plane hands mails over, on loopback. A fleet that was made before there were mails has the usual place.
    #[serde(default = "usual_mail")]
    pub(crate) mail: SocketAddr,
    /// Simulated boxes.
    pub(crate) devices: u32,
}

fn usual_mail() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, MAIL_PORT))
}

/// What was asked for on the command line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) public: Option<Wish>,
    pub(crate) device: Option<Wish>,
    pub(crate) devices: Option<u32>,
}

impl Settings {
    /// Reads what an earlier start kept.
    pub(crate) fn read(folder: &StateFolder) -> anyhow::Result<Option<Self>> {
        let path = folder.path("settings.json");
        match std::fs::read(&path) {
            Ok(bytes) => {
                let settings = serde_json::from_slice(&bytes);
                settings.with_context(|| format!("{} is damaged; remove it to choose anew", path.display())).map(Some)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Settles the addresses: what was asked for, else what there was, else the usual ones or the next that are free.
    /// The lines say what differs from what one would expect.
    pub(crate) fn settle(kept: Option<&Self>, asked: Asked) -> anyhow::Result<(Self, Vec<String>)> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut notes = Vec::new();
        let mut taken = Vec::new();
        let mut settle = |what, wish: Option<Wish>, kept: Option<SocketAddr>, port| {
            let Chosen { address, note } = address::choose(what, wish, kept, SocketAddr::new(loopback, port), &taken)?;
            taken.push(address.port());
            notes.extend(note);
            anyhow::Ok(address)
        };
        let public = settle("the dashboard", asked.public, kept.map(|kept| kept.public), 8080)?;
        let device = settle("the boxes' listener", asked.device, kept.map(|kept| kept.device), 8443)?;
        let internal = settle("the internal listener", None, kept.map(|kept| kept.internal), 8081)?;
        let mail = settle("the mail sink", None, kept.map(|kept| kept.mail), MAIL_PORT)?;
        let devices = asked.devices.or(kept.map(|kept| kept.devices)).unwrap_or(DEVICES);
        Ok((Self { public, device, internal, mail, devices }, notes))
    }

    /// Keeps them for the next start.
    pub(crate) fn write(&self, folder: &StateFolder) -> anyhow::Result<()> {
        write_private(&folder.path("settings.json"), &format!("{}\n", serde_json::to_string_pretty(self)?))
    }

    /// Whether people reach the dashboard over TLS: always, but on loopback.
    pub(crate) fn has_tls(&self) -> bool {
        !self.public.ip().is_loopback()
    }

    /// The dashboard's address.
    pub(crate) fn public_url(&self) -> String {
        let scheme = if self.has_tls() { "https" } else { "http" };
        format!("{scheme}://{}", address::reachable(self.public))
    }

    /// The address boxes are told.
    pub(crate) fn device_url(&self) -> String {
        format!("https://{}", address::reachable(self.device))
    }
}
