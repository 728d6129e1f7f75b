//! Many devices at one server.

use crate::device::{Device, Protocol};
use crate::tasks::Tasks;
use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// Longest time for one device to get its first answer, with all others beside it.
const BEGIN_PATIENCE: Duration = Duration::from_secs(60);

/// A session that ended.
#[derive(Debug)]
pub(crate) struct End {
    /// The device's number.
    pub(crate) number: usize,
    /// When the device knew.
    pub(crate) at: Instant,
    /// What it was told.
    pub(crate) why: String,
}

/// Devices that are connected and stay so.
pub(crate) struct Fleet {
    protocol: Protocol,
    server: SocketAddr,
    concurrent: usize,
    tasks: Tasks,
    connected: usize,
    lost: Arc<AtomicUsize>,
    ends: Option<mpsc::Sender<End>>,
}

impl Fleet {
    /// An empty fleet; `concurrent` bounds the handshakes in flight.
    pub(crate) fn new(protocol: Protocol, server: SocketAddr, concurrent: usize) -> Self {
        Self { protocol, server, concurrent, tasks: Tasks::default(), connected: 0, lost: Arc::default(), ends: None }
    }

    /// Tells of each session that ends.
    pub(crate) fn tell(&mut self, ends: mpsc::Sender<End>) {
        self.ends = Some(ends);
    }

    /// Connects devices until there are this many, and answers with the time it took from the first handshake to the last
    /// answer.
    pub(crate) async fn grow(&mut self, devices: &[Device], to: usize) -> anyhow::Result<Duration> {
        let newcomers = devices.get(self.connected..to).context("there are not so many devices")?;
        let places = Arc::new(Semaphore::new(self.concurrent));
        let (begun, mut outcomes) = mpsc::channel(self.concurrent);
        let began = Instant::now();
        for device in newcomers {
            let (device, protocol, server) = (device.clone(), self.protocol, self.server);
            let (tasks, lost, begun) = (self.tasks.clone(), Arc::clone(&self.lost), begun.clone());
            let (places, ends) = (Arc::clone(&places), self.ends.clone());
            self.tasks.spawn(async move {
                // A closed semaphore would only mean that nothing limits; it is never closed.
                let place = places.acquire_owned().await;
                let session = match tokio::time::timeout(BEGIN_PATIENCE, device.begin(protocol, server, &tasks)).await {
                    Ok(Ok(session)) => session,
                    Ok(Err(error)) => {
                        let _ended = begun.send(Err(error)).await;
                        return;
                    }
                    Err(_elapsed) => {
                        let _ended = begun.send(Err(anyhow::anyhow!("no answer in time"))).await;
                        return;
                    }
                };
                drop(place);
                let _ended = begun.send(Ok(())).await;
                // Held for as long as the session, it would keep the count from ending.
                drop(begun);
                let why = session.hold(device.heartbeats()).await;
                let at = Instant::now();
                lost.fetch_add(1, Ordering::Relaxed);
                if let Some(ends) = ends {
                    let end = End { number: device.number, at, why: format!("{why:#}") };
                    let _nobody_asks = ends.send(end).await;
                }
            });
        }
        drop(begun);
        for done in 0..newcomers.len() {
            let outcome = outcomes.recv().await.context("a device's task is gone")?;
            outcome.with_context(|| format!("after {done} of {} devices", newcomers.len()))?;
        }
        self.connected = to;
        Ok(began.elapsed())
    }

    /// Fails when a device lost its session: what is measured would be another fleet.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.lost.load(Ordering::Relaxed) {
            0 => Ok(()),
            lost => bail!("{lost} of {} devices lost their session", self.connected),
        }
    }

    /// Disconnects all.
    pub(crate) async fn end(self) {
        self.tasks.stop().await;
    }
}
