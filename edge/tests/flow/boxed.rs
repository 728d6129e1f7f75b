//! A real agent on this real machine, in a folder of its own.

use crate::double::Double;
use kaliun_edge::agent::{self, AgentConfig, AgentError};
use kaliun_edge::agent_state::AgentState;
use kaliun_edge::dialer::Dialer;
use kaliun_edge::host::linux::LinuxHost;
use kaliun_edge::state_dir::{Durability, StateDir};
use kaliun_edge::tasks::Tasks;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

pub(crate) struct RunningBox {
    pub(crate) state: watch::Receiver<AgentState>,
    stop: CancellationToken,
    ended: oneshot::Receiver<Result<(), AgentError>>,
    tasks: Tasks,
}

/// An agent that takes a sample every 100 ms and has a join token.
pub(crate) fn config(double: &Double) -> AgentConfig {
    let mut config = AgentConfig::new(double.url.parse().unwrap());
    config.join_token = Some(double.join_token());
    config.sample_interval = Some(Duration::from_millis(100));
    config.first_sample_after = Duration::ZERO;
    config
}

impl RunningBox {
    pub(crate) fn start(folder: &Path, config: AgentConfig) -> Self {
        let state_dir = StateDir::open(folder, Durability::Disk).unwrap();
        let (sender, state) = watch::channel(AgentState::default());
        let (report, ended) = oneshot::channel();
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let tasks = Tasks::new();
        let host = LinuxHost::new(folder, None);
        tasks.spawner().spawn(async move {
            let outcome = agent::run(config, state_dir, host, Dialer::new(), sender, stopping).await;
            let _killed = report.send(outcome);
        });
        Self { state, stop, ended, tasks }
    }

    /// Waits until the agent says so.
    pub(crate) async fn until(&self, what: &str, is_reached: impl FnMut(&AgentState) -> bool) -> AgentState {
        let mut state = self.state.clone();
        let reached = tokio::time::timeout(crate::LIMIT, state.wait_for(is_reached)).await;
        match reached {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) => panic!("the agent ended before: {what}"),
            Err(_) => panic!("never came: {what}; the state is {:?}", self.state.borrow()),
        }
    }

    pub(crate) async fn stop(self) -> Result<(), AgentError> {
        self.stop.cancel();
        crate::within(self.ended).await.unwrap()
    }

    /// As it ends by itself.
    pub(crate) async fn ended(self) -> Result<(), AgentError> {
        crate::within(self.ended).await.unwrap()
    }

    /// As kill -9 would.
    pub(crate) async fn kill(self) {
        self.tasks.stop().await;
    }
}
