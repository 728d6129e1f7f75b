//! One server's figures.

use crate::device::{Device, Protocol};
use crate::fleet::Fleet;
use crate::process::Server;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// How a server is measured; the same for all.
pub(super) struct Plan<'a> {
    /// Devices at the first reading.
    pub(super) base: usize,
    /// All devices.
    pub(super) devices: &'a [Device],
    /// Heartbeats go on for this long before a reading.
    pub(super) settle: Duration,
    /// Handshakes in flight.
    pub(super) concurrent: usize,
}

/// What came out.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figures {
    /// Slope of the server's proportional share of memory, kB of 1,024 bytes a device.
    pub(super) kb_per_device: f64,
    /// Full handshakes to the server's first answer, a second, while the second part of the devices connects.
    pub(super) connects_per_s: f64,
    /// Processor time of the server for one of these, milliseconds.
    pub(super) server_cpu_ms_per_connect: f64,
    /// The two readings, kB.
    pub(super) pss_at_base_kb: u64,
    pub(super) pss_at_end_kb: u64,
}

impl Plan<'_> {
    /// Connects, settles and reads, twice.
    pub(super) async fn measure(
        &self,
        server: &Server,
        address: SocketAddr,
        protocol: Protocol,
    ) -> anyhow::Result<Figures> {
        let mut fleet = Fleet::new(protocol, address, self.concurrent);
        fleet.grow(self.devices, self.base).await?;
        let pss_at_base_kb = self.settled(server, &fleet).await?;
        let cpu_before = server.cpu_seconds()?;
        let took = fleet.grow(self.devices, self.devices.len()).await?;
        let cpu_seconds = server.cpu_seconds()? - cpu_before;
        let pss_at_end_kb = self.settled(server, &fleet).await?;
        fleet.end().await;
        let count = count(self.devices.len() - self.base);
        Ok(Figures {
            kb_per_device: (kilobytes(pss_at_end_kb) - kilobytes(pss_at_base_kb)) / count,
            connects_per_s: count / took.as_secs_f64(),
            server_cpu_ms_per_connect: cpu_seconds * 1000.0 / count,
            pss_at_base_kb,
            pss_at_end_kb,
        })
    }

    async fn settled(&self, server: &Server, fleet: &Fleet) -> anyhow::Result<u64> {
        tokio::time::sleep(self.settle).await;
        fleet.check()?;
        server.pss_kb()
    }
}

/// Counts of devices fit into 32 bits, which a float holds exactly.
fn count(devices: usize) -> f64 {
    u32::try_from(devices).map_or(f64::NAN, f64::from)
}

/// So do kB up to 4 TB.
fn kilobytes(kb: u64) -> f64 {
    u32::try_from(kb).map_or(f64::NAN, f64::from)
}
