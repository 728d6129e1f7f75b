//! Honest boxes, and how long they wait.

use crate::device::{Device, LinkSession};
use crate::enrollment::Office;
use crate::tasks::Tasks;
use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior};

/// Devices that stay online and report.
const REPORTING: usize = 20;
/// Devices that connect, one after another: each may open a session every 10 s for ever.
const CONNECTING: usize = 150;
/// All that are measured.
pub(super) const DEVICES: usize = REPORTING + CONNECTING;
/// How often one of them does it.
const REPORT_EVERY: Duration = Duration::from_millis(100);
const CONNECT_EVERY: Duration = Duration::from_millis(100);
const ENROLL_EVERY: Duration = Duration::from_millis(250);
/// A wait that is longer is a failure: what a box itself waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long each waited.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// From a sample to its acknowledgement.
    pub(super) report: Vec<Duration>,
    /// From the first packet to the welcome.
    pub(super) connect: Vec<Duration>,
    /// From the first packet to the certificate.
    pub(super) enroll: Vec<Duration>,
    /// What did not come to its end, in words.
    pub(super) failed: Vec<String>,
}

impl Observed {
    /// Takes in another one.
    pub(super) fn add(&mut self, other: Self) {
        self.report.extend(other.report);
        self.connect.extend(other.connect);
        self.enroll.extend(other.enroll);
        self.failed.extend(other.failed);
    }
}

/// What one of them did.
#[derive(Debug, Clone, Copy)]
enum What {
    Report,
    Connect,
    Enroll,
}

/// A device that stays online. The spool is a new one with each run.
struct Reporting {
    session: LinkSession,
    spool_id: [u8; 16],
    sequence: u64,
}

/// All of them.
pub(super) struct Honest<'a> {
    office: &'a Office<'a>,
    reporting: Vec<Mutex<Reporting>>,
    connecting: &'a [Device],
    join_token: String,
    stranger: Arc<ClientConfig>,
    tasks: Tasks,
    /// Grows with each that does something.
    number: usize,
}

/// How many boxes enrol in so many seconds, and some more.
pub(super) fn enrollments(seconds: u64) -> anyhow::Result<u32> {
    let each_second = 1_000 / u64::try_from(ENROLL_EVERY.as_millis())?;
    Ok(u32::try_from((seconds + 60) * each_second)?)
}

impl<'a> Honest<'a> {
    /// Connects those that stay.
    pub(super) async fn begin(
        office: &'a Office<'a>,
        devices: &'a [Device],
        join_token: String,
        stranger: Arc<ClientConfig>,
    ) -> anyhow::Result<Self> {
        let tasks = Tasks::default();
        let (stay, connecting) = devices.split_at(REPORTING);
        let mut reporting = Vec::new();
        for (number, device) in stay.iter().enumerate() {
            let mut spool_id = [0; 16];
            aws_lc_rs::rand::fill(&mut spool_id).ok().context("no randomness")?;
            let session = device.open_link(home(number), office.device, &tasks).await?;
            reporting.push(Mutex::new(Reporting { session, spool_id, sequence: 0 }));
        }
        Ok(Self { office, reporting, connecting, join_token, stranger, tasks, number: 0 })
    }

    /// Lets them do what they do, each at its own pace whether or not the others are done, and waits for the last.
    pub(super) async fn observe(&mut self, lasts: Duration) -> anyhow::Result<Observed> {
        let (mut report, mut connect, mut enroll) = (ticks(REPORT_EVERY), ticks(CONNECT_EVERY), ticks(ENROLL_EVERY));
        let until = Instant::now() + lasts;
        let mut number = self.number;
        let mut observed = Observed::default();
        let this = &*self;
        let mut under_way = FuturesUnordered::new();
        while Instant::now() < until {
            let what = tokio::select! {
                _ = report.tick() => What::Report,
                _ = connect.tick() => What::Connect,
                _ = enroll.tick() => What::Enroll,
                done = next(&mut under_way) => {
                    observed.note(done);
                    continue;
                }
            };
            number += 1;
            under_way.push(this.timed(what, number));
        }
        while let Some(done) = under_way.next().await {
            observed.note(done);
        }
        drop(under_way);
        self.number = number;
        Ok(observed)
    }

    async fn timed(&self, what: What, number: usize) -> (What, Result<Duration, String>) {
        let done = tokio::time::timeout(PATIENCE, self.once(what, number)).await;
        let done = match done {
            Ok(Ok(took)) => Ok(took),
            Ok(Err(error)) => Err(format!("{what:?}: {error:#}")),
            Err(_elapsed) => Err(format!("{what:?}: not within {} s", PATIENCE.as_secs())),
        };
        (what, done)
    }

    async fn once(&self, what: What, number: usize) -> anyhow::Result<Duration> {
        match what {
            What::Report => {
                let reporting = self.reporting.get(number % REPORTING).context("there is one")?;
                let mut reporting = reporting.lock().await;
                let began = Instant::now();
                reporting.sequence += 1;
                let (spool_id, sequence) = (reporting.spool_id, reporting.sequence);
                reporting.session.report(&spool_id, sequence).await?;
                Ok(began.elapsed())
            }
            What::Connect => {
                let device = self.connecting.get(number % self.connecting.len()).context("there is one")?;
                let tasks = Tasks::default();
                let began = Instant::now();
                let session = device.open_link(home(number), self.office.device, &tasks).await?;
                let took = began.elapsed();
                drop(session);
                tasks.stop().await;
                Ok(took)
            }
            What::Enroll => {
                let (token, tls) = (self.join_token.clone(), Arc::clone(&self.stranger));
                let began = Instant::now();
                self.office.enroll_from(home(number), number, token, tls).await?;
                Ok(began.elapsed())
            }
        }
    }

    /// Disconnects all.
    pub(super) async fn end(self) {
        drop(self.reporting);
        self.tasks.stop().await;
    }
}

impl Observed {
    fn note(&mut self, (what, done): (What, Result<Duration, String>)) {
        match (what, done) {
            (What::Report, Ok(took)) => self.report.push(took),
            (What::Connect, Ok(took)) => self.connect.push(took),
            (What::Enroll, Ok(took)) => self.enroll.push(took),
            (_, Err(words)) => self.failed.push(words),
        }
    }
}

/// The next that is done; never when nobody is under way.
async fn next<F: Future>(under_way: &mut FuturesUnordered<F>) -> F::Output {
    match under_way.next().await {
        Some(done) => done,
        None => pending().await,
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Each in a home of its own: 127.2.0.0/16.
fn home(number: usize) -> Ipv4Addr {
    let part = |value: usize| u8::try_from(value % 250).unwrap_or(0);
    Ipv4Addr::new(127, 2, part(number / 250), part(number) + 1)
}
