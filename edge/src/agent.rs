//! The agent as a whole: one future that measures, enrols and keeps the link until it is told to stop.
//!
//! The program runs one of them, the simulator thousands. A box costs one task, and while it is connected the tasks of its
//! HTTP/2 connection.

use crate::agent_state::AgentState;
use crate::clock::Clock;
use crate::decommission::Decommissioned;
use crate::dialer::Dialer;
use crate::facts::{AGENT_VERSION, facts};
use crate::homeassistant::{HomeAssistantView, Transition};
use crate::host::Host;
use crate::identity::{DeviceRecord, FileKeyStore, Identity, IdentityError, KeyStore};
use crate::journal::{Class, Journal, JournalLimits};
use crate::link::settings::HeldSettings;
use crate::link::transport::with_sources;
use crate::measuring::Measuring;
use crate::published::Published;
use crate::server_address::ServerAddress;
use crate::spool::SpoolError;
use crate::state_dir::{StateDir, StateDirError};
use crate::trust::TrustChain;
use crate::uplink::Uplink;
use kaliun_types::join_token::JoinTokenText;
use kaliun_types::reason::ReasonCode;
use kaliun_types::secret::SecretText;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What an agent is told from outside.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The control plane's device listener.
    pub server: ServerAddress,
    /// The join token's text; `None` to be claimed by code.
    pub join_token: Option<SecretText>,
    /// SHA-256 of trust bundle version 1; needed only without a join token, which has it inside.
    pub trust_hash: Option<[u8; 32]>,
    /// Time between samples whatever the settings say. For tests and benches.
    pub sample_interval: Option<Duration>,
    /// Time to the first sample.
    pub first_sample_after: Duration,
    /// How much is kept while nobody takes it.
    pub journal_limits: JournalLimits,
    /// Where the box's key lives.
    pub keys: Arc<dyn KeyStore>,
    /// What time it is.
    pub clock: Clock,
    /// Whether to end as soon as the box is enrolled, or refused for good.
    pub only_enroll: bool,
}

impl AgentConfig {
    /// An agent with the defaults of a real box.
    #[must_use]
    pub fn new(server: ServerAddress) -> Self {
        Self {
            server,
            join_token: None,
            trust_hash: None,
            sample_interval: None,
            // Long enough for the processor's share of time to mean something.
            first_sample_after: Duration::from_secs(1),
            journal_limits: JournalLimits::default(),
            keys: Arc::new(FileKeyStore),
            clock: Clock::default(),
            only_enroll: false,
        }
    }

    /// Forgets whom the box trusts, where it was given what it needs to begin again.
    ///
    /// # Errors
    /// Nothing says which control plane to trust, or the files cannot be removed. Nothing is forgotten then.
    pub fn forget_trust(&self, state: &StateDir) -> Result<(), AgentError> {
        self.first_hash()?.ok_or(AgentError::NoTrustHash)?;
        TrustChain::forget(state)?;
        Ok(DeviceRecord::forget_trust_hash(state)?)
    }

    /// The hash by which the box knows its server: the token's, or the one given beside it.
    ///
    /// # Errors
    /// The token is none, or the two hashes differ.
    fn first_hash(&self) -> Result<Option<[u8; 32]>, AgentError> {
        let Some(token) = &self.join_token else {
            return Ok(self.trust_hash);
        };
        let from_token = JoinTokenText::parse(token.expose()).map_err(|_| AgentError::InvalidJoinToken)?.trust_hash();
        match self.trust_hash {
            Some(given) if given != from_token => Err(AgentError::ContradictingHashes),
            Some(_) | None => Ok(Some(from_token)),
        }
    }
}

/// The agent cannot begin. Everything that goes wrong later is tried again.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The join token is not one.
    #[error("the join token is not one: expected kjt1.<32 characters>.<64 hexadecimal digits>, copied whole")]
    InvalidJoinToken,
    /// Two hashes for one server.
    #[error("the trust hash is not the one inside the join token; leave one of the two out")]
    ContradictingHashes,
    /// The state folder is another control plane's.
    #[error("this state folder belongs to another control plane than the join token or trust hash; use another folder")]
    OtherControlPlane,
    /// Nothing says which server is the right one.
    #[error("nothing says which control plane to trust; give a join token or a trust hash")]
    NoTrustHash,
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The state folder cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl AgentError {
    /// Whether what the agent was told is wrong, rather than the machine.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::InvalidJoinToken | Self::ContradictingHashes | Self::OtherControlPlane | Self::NoTrustHash => true,
            Self::Identity(_) | Self::StateDir(_) | Self::Spool(_) => false,
        }
    }
}

/// Runs an agent until `stop`. The caller holds the lock of the state folder.
///
/// # Errors
/// The agent cannot begin.
pub async fn run<H: Host>(
    config: AgentConfig,
    state: StateDir,
    mut host: H,
    dialer: Arc<Dialer>,
    state_sender: watch::Sender<AgentState>,
    stop: CancellationToken,
) -> Result<(), AgentError> {
    if let Some(marker) = Decommissioned::load(&state)? {
        return stay_out_of_service(&marker, &state, &Published::new(state_sender), &config, &stop).await;
    }
    let trust = TrustChain::load(&state);
    // Kept beside the certificate, too, for when the bundles are lost.
    let held_hash = trust.as_ref().map(TrustChain::first_hash).or_else(|| DeviceRecord::trust_hash(&state));
    let first_hash = match (config.first_hash()?, held_hash) {
        (Some(given), Some(held)) if given != held => return Err(AgentError::OtherControlPlane),
        (given, held) => given.or(held).ok_or(AgentError::NoTrustHash)?,
    };
    let mut identity = Identity::load_or_create(&*config.keys, &state)?;
    identity.keep_trust_hash(&state, first_hash);
    let settings = HeldSettings::load(&state);
    let boot_id = host.boot_id();
    let now_ms = || config.clock.now_ms();
    let mut home_assistant = HomeAssistantView::default();
    let first_transition = home_assistant.observe(host.observe_home_assistant().await, now_ms());
    let journal = Journal::open(&state, config.journal_limits, &boot_id, facts(&host.machine(), &home_assistant))?;
    let published = Published::new(state_sender);

    let started = format!("Agent {AGENT_VERSION} started.");
    let started = Transition { reason: ReasonCode::AgentStarted, message: started };
    for Transition { reason, message } in [Some(started), first_transition].into_iter().flatten() {
        // A full disk must not keep the agent from running: it is what has to be reported.
        if let Err(error) = journal.append_event(now_ms(), reason, &message).await {
            tracing::error!(error = %with_sources(&error), "an event could not be spooled and is lost");
        }
    }
    for class in Class::ALL {
        published.spool(&journal, class);
    }

    let (interval, interval_receiver) =
        watch::channel(config.sample_interval.unwrap_or_else(|| settings.sample_interval()));
    let measuring = Measuring {
        host,
        journal: &journal,
        published: &published,
        home_assistant,
        clock: &config.clock,
        interval: interval_receiver,
    };
    let mut uplink = Uplink {
        config: &config,
        state: &state,
        dialer: &dialer,
        journal: &journal,
        published: &published,
        interval: &interval,
        boot_id: &boot_id,
        identity,
        trust,
        first_hash,
        trust_problem: None,
        settings,
        stop: &stop,
    };
    let wiped = tokio::select! {
        wiped = Box::pin(uplink.run()) => wiped,
        () = Box::pin(measuring.run(config.first_sample_after)) => None,
    };
    // The uplink's borrows end here, so that the journal can be closed.
    drop(uplink);
    let closed = journal.close();
    if let Some(marker) = wiped {
        // What is deleted now need not have been written to its end.
        return stay_out_of_service(&marker, &state, &published, &config, &stop).await;
    }
    if let Err(error) = closed {
        // No record is lost by it: where the spools stood is found again in their files.
        tracing::error!(error = %with_sources(&error), "the spools could not be closed in order");
    }
    Ok(())
}

/// Deletes what is left of the identity, and says so until somebody stops the agent. It measures nothing and asks nobody.
async fn stay_out_of_service(
    marker: &Decommissioned,
    state: &StateDir,
    published: &Published,
    config: &AgentConfig,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    Decommissioned::wipe(state, &*config.keys)?;
    tracing::warn!("this box was taken out of service; to use it again, run `kaliun-edge enroll --new-key`");
    published.wiped(marker);
    if !config.only_enroll {
        stop.cancelled().await;
    }
    Ok(())
}
