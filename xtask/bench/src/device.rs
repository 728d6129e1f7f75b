//! A device: connects, waits for the server's answer, then says one small thing every 30 s.

mod echo;
mod link;
mod mqtt;

pub(crate) use echo::{Echo, PATH as ECHO_PATH};
pub(crate) use link::{Session as LinkSession, facts};

use crate::connection;
use crate::tasks::Tasks;
use rustls::ClientConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Our link: Hello and Welcome, then heartbeats both ways.
    Link,
    /// The bare tonic server: what is sent comes back.
    Echo,
    /// CONNECT and CONNACK, then PINGREQ and PINGRESP.
    Mqtt,
}

/// Every device says something this often, to every server.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// One device.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) number: usize,
    pub(crate) tls: Arc<ClientConfig>,
}

/// A device's session after the server has answered.
pub(crate) enum Session {
    Link(Box<link::Session>),
    Echo(Box<echo::Session>),
    Mqtt(Box<mqtt::Session>),
}

impl Device {
    /// Connects, with a full handshake, and waits for the server's first answer.
    pub(crate) async fn begin(&self, protocol: Protocol, server: SocketAddr, tasks: &Tasks) -> anyhow::Result<Session> {
        let stream = connection::secure(Ipv4Addr::LOCALHOST, server, Arc::clone(&self.tls)).await?;
        Ok(match protocol {
            Protocol::Link => Session::Link(Box::new(
                link::Session::begin(connection::http2(stream, tasks).await?, self.number).await?,
            )),
            Protocol::Echo => {
                Session::Echo(Box::new(echo::Session::begin(connection::http2(stream, tasks).await?).await?))
            }
            Protocol::Mqtt => Session::Mqtt(Box::new(mqtt::Session::begin(stream, self.number).await?)),
        })
    }

    /// Opens a link from an address of its own, as a box in a home of its own does.
    pub(crate) async fn open_link(
        &self,
        home: Ipv4Addr,
        server: SocketAddr,
        tasks: &Tasks,
    ) -> anyhow::Result<LinkSession> {
        let stream = connection::secure(home, server, Arc::clone(&self.tls)).await?;
        link::Session::begin(connection::http2(stream, tasks).await?, self.number).await
    }

    /// Spreads the devices' heartbeats evenly.
    pub(crate) fn heartbeats(&self) -> Interval {
        // A prime step visits all milliseconds of the interval before it repeats one.
        let offset = Duration::from_millis(u64::try_from(self.number).unwrap_or(0) * 7919 % 30_000);
        let mut interval = interval_at(Instant::now() + offset, HEARTBEAT);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }
}

impl Session {
    /// Keeps it alive; returns only when it broke.
    pub(crate) async fn hold(self, heartbeats: Interval) -> anyhow::Error {
        let broken = match self {
            Self::Link(session) => session.hold(heartbeats).await,
            Self::Echo(session) => session.hold(heartbeats).await,
            Self::Mqtt(session) => session.hold(heartbeats).await,
        };
        match broken {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }
}
