//! Many boxes in one process: the same agent code, each with its own folder, key and stream.

use crate::host::SimulatedHost;
use kaliun_edge::agent::{self, AgentConfig, AgentError};
use kaliun_edge::agent_state::AgentState;
use kaliun_edge::clock::Clock;
use kaliun_edge::dialer::Dialer;
use kaliun_edge::identity::KeyStore;
use kaliun_edge::journal::JournalLimits;
use kaliun_edge::server_address::ServerAddress;
use kaliun_edge::state_dir::{Durability, StateDir, StateDirError};
use kaliun_edge::tasks::Tasks;
use kaliun_types::secret::SecretText;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Boxes one process may have: each costs a socket, and a client has 28,000 ports to one address.
pub const DEVICES_MAX: usize = 20_000;

/// Samples of thousands of boxes spread over this time at the start, unless the interval is shorter.
const FIRST_SAMPLES_SPREAD: Duration = Duration::from_secs(15);

/// What a simulated fleet is told.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The control plane's device listener.
    pub server: ServerAddress,
    /// The join token's text; `None` to be claimed by code, which needs `trust_hash`.
    pub join_token: Option<SecretText>,
    /// SHA-256 of trust bundle version 1, without a join token.
    pub trust_hash: Option<[u8; 32]>,
    /// Each box has a folder of its name in here.
    pub state_dir: PathBuf,
    /// Boxes are called `<prefix>-0001` and so on.
    pub name_prefix: String,
    /// How many. At most [`DEVICES_MAX`].
    pub devices: usize,
    /// Time between samples whatever the settings say.
    pub sample_interval: Option<Duration>,
    /// How much each box keeps while nobody takes it.
    pub journal_limits: JournalLimits,
    /// Where their keys live: each box's by its folder.
    pub keys: Arc<dyn KeyStore>,
    /// What time it is for all of them.
    pub clock: Clock,
}

/// The fleet cannot begin.
#[derive(Debug, Error)]
pub enum FleetError {
    /// Too many.
    #[error("{0} boxes are more than the {DEVICES_MAX} that one process can have")]
    TooMany(usize),
    /// The folder cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
}

/// A running fleet. Dropping it ends all boxes at once, as a power cut would.
#[derive(Debug)]
pub struct Fleet {
    boxes: Vec<SimulatedBox>,
}

/// One running box.
#[derive(Debug)]
pub struct SimulatedBox {
    name: String,
    state: watch::Receiver<AgentState>,
    stop: CancellationToken,
    ended: oneshot::Receiver<Result<(), AgentError>>,
    tasks: Tasks,
}

impl Fleet {
    /// Starts all boxes. They share one dialer, and with it verifiers and the bound on handshakes in flight.
    ///
    /// # Errors
    /// There are too many, or a folder cannot be made.
    pub fn start(config: &FleetConfig) -> Result<Self, FleetError> {
        if config.devices > DEVICES_MAX {
            return Err(FleetError::TooMany(config.devices));
        }
        let dialer = Dialer::new();
        let boxes = (1..=config.devices)
            .map(|number| SimulatedBox::start(config, number, &dialer))
            .collect::<Result<_, _>>()?;
        Ok(Self { boxes })
    }

    /// The boxes, in order of their numbers.
    #[must_use]
    pub fn boxes(&self) -> &[SimulatedBox] {
        &self.boxes
    }

    /// How many have a session now.
    #[must_use]
    pub fn online_count(&self) -> usize {
        self.boxes.iter().filter(|simulated| simulated.state.borrow().online_epoch().is_some()).count()
    }

    /// How many have their certificate.
    #[must_use]
    pub fn enrolled_count(&self) -> usize {
        self.boxes.iter().filter(|simulated| simulated.state.borrow().is_enrolled()).count()
    }

    /// Waits until every box is in a state. Has no time limit of its own.
    pub async fn wait_for_all(&self, is_reached: impl Fn(&AgentState) -> bool) {
        for simulated in &self.boxes {
            simulated.wait_for(&is_reached).await;
        }
    }

    /// Stops all boxes in order, and waits until they have ended.
    ///
    /// # Errors
    /// The first box that could not begin or could not write down where it stood.
    pub async fn stop(self) -> Result<(), AgentError> {
        for simulated in &self.boxes {
            simulated.stop.cancel();
        }
        let mut outcome = Ok(());
        for simulated in self.boxes {
            outcome = outcome.and(simulated.stop().await);
        }
        outcome
    }
}

impl SimulatedBox {
    /// Starts one box of a fleet.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn start(config: &FleetConfig, number: usize, dialer: &Arc<Dialer>) -> Result<Self, FleetError> {
        let name = format!("{}-{number:04}", config.name_prefix);
        let state_dir = StateDir::open(&config.state_dir.join(&name), Durability::PageCache)?;
        let mut agent_config = AgentConfig::new(config.server.clone());
        agent_config.join_token.clone_from(&config.join_token);
        agent_config.trust_hash = config.trust_hash;
        agent_config.sample_interval = config.sample_interval;
        agent_config.journal_limits = config.journal_limits;
        agent_config.keys = config.keys.clone();
        agent_config.clock = config.clock.clone();
        let spread = config.sample_interval.unwrap_or(FIRST_SAMPLES_SPREAD);
        agent_config.first_sample_after = spread.mul_f64(rand::random());

        let (sender, state) = watch::channel(AgentState::default());
        let (report, ended) = oneshot::channel();
        let stop = CancellationToken::new();
        let tasks = Tasks::new();
        let (dialer, stopping, host) = (dialer.clone(), stop.clone(), SimulatedHost::new(&name));
        let box_name = name.clone();
        tasks.spawner().spawn(async move {
            let outcome = agent::run(agent_config, state_dir, host, dialer, sender, stopping).await;
            if let Err(error) = &outcome {
                tracing::error!(name = %box_name, %error, "simulated box ended");
            }
            // Whoever killed the box does not listen any more.
            let _unheard = report.send(outcome);
        });
        Ok(Self { name, state, stop, ended, tasks })
    }

    /// The name it gives itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it makes known of itself, live.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<AgentState> {
        self.state.clone()
    }

    /// Waits until the box is in a state, and gives it. Has no time limit of its own. When the box ended, its last state.
    pub async fn wait_for(&self, is_reached: impl Fn(&AgentState) -> bool) -> AgentState {
        let mut state = self.state.clone();
        let reached = state.wait_for(|state| is_reached(state)).await.map(|state| state.clone());
        reached.unwrap_or_else(|_ended| self.state.borrow().clone())
    }

    /// Stops the box in order.
    ///
    /// # Errors
    /// It could not begin, or could not write down where it stood.
    pub async fn stop(self) -> Result<(), AgentError> {
        self.stop.cancel();
        let outcome = self.ended.await.unwrap_or(Ok(()));
        self.tasks.stop().await;
        outcome
    }

    /// Ends the box where it stands, as kill -9 would: nothing is closed, nothing written down.
    pub async fn kill(self) {
        self.tasks.stop().await;
    }
}
