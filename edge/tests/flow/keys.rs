//! Boxes whose key is not in a file: nothing but its public part and signatures come out of where it is.

use crate::boxed::{RunningBox, config};
use crate::double::{Answer, Double};
use crate::linking::{Session, offline_for, welcome};
use crate::renewal::{asked, give};
use crate::within;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use kaliun_edge::agent::{AgentConfig, AgentError};
use kaliun_edge::agent_state::{AgentState, EnrollmentState, LinkState};
use kaliun_edge::identity::{DeviceKey, IdentityError, KeyStore, SigningError};
use kaliun_edge::state_dir::StateDir;
use kaliun_proto::link::v1::RenewCertificate;
use kaliun_proto::link::v1::server_message::Message as ToBox;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use tokio::sync::watch;
use tonic::Status;

/// A chip with room for one key. It outlives the agent, as the real thing does.
#[derive(Clone, Default)]
struct Chip(Arc<Slot>);

#[derive(Default)]
struct Slot {
    key: Mutex<Option<Arc<dyn DeviceKey>>>,
    fault: Mutex<Option<Fault>>,
    /// Signatures that were not given.
    missed: watch::Sender<usize>,
    signed_on: Mutex<HashSet<ThreadId>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    DoesNotSign,
    DoesNotAnswer,
}

/// The key itself stays in the library's memory: this one was never anything else, and cannot be exported.
struct ChipKey {
    key: EcdsaKeyPair,
    chip: Chip,
}

impl Chip {
    fn has(&self, fault: Fault) -> bool {
        *self.0.fault.lock().unwrap() == Some(fault)
    }

    fn set(&self, fault: Option<Fault>) {
        *self.0.fault.lock().unwrap() = fault;
    }

    fn has_key(&self) -> bool {
        self.0.key.lock().unwrap().is_some()
    }
}

impl std::fmt::Debug for Chip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Chip")
    }
}

impl KeyStore for Chip {
    fn load(&self, _state: &StateDir) -> Result<Option<Arc<dyn DeviceKey>>, IdentityError> {
        if self.has(Fault::DoesNotAnswer) {
            return Err(IdentityError::Store { operation: "find", source: "the chip does not answer".into() });
        }
        Ok(self.0.key.lock().unwrap().clone())
    }

    fn create(&self, _state: &StateDir) -> Result<Arc<dyn DeviceKey>, IdentityError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let key: Arc<dyn DeviceKey> = Arc::new(ChipKey { key, chip: self.clone() });
        Ok(self.0.key.lock().unwrap().insert(key).clone())
    }

    fn forget(&self, _state: &StateDir) -> Result<(), IdentityError> {
        *self.0.key.lock().unwrap() = None;
        Ok(())
    }
}

impl DeviceKey for ChipKey {
    fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.chip.0.signed_on.lock().unwrap().insert(std::thread::current().id());
        if self.chip.has(Fault::DoesNotSign) {
            self.chip.0.missed.send_modify(|missed| *missed += 1);
            return Err(SigningError::new("the chip is busy"));
        }
        let signature = self.key.sign(&SystemRandom::new(), message).map_err(SigningError::new)?;
        Ok(signature.as_ref().to_vec())
    }

    fn may_block(&self) -> bool {
        true
    }
}

fn config_of(double: &Double, chip: &Chip) -> AgentConfig {
    AgentConfig { keys: Arc::new(chip.clone()), ..config(double) }
}

/// What a box says whose key does not sign.
const CAUSE: &str = "the box's key did not sign: the chip is busy";

#[tokio::test]
async fn a_key_that_never_leaves_its_chip_enrols_links_renews_and_recovers() {
    let (mut double, chip) = (Double::start().await, Chip::default());
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config_of(&double, &chip));
    // Its signing request was taken, and its proof.
    let public_key_info = within(double.begun.recv()).await.unwrap().public_key_info;
    // It shows its certificate in a handshake that it signed, and asks for the next one.
    let mut session = Session::open(&mut double, welcome(1)).await;
    let request = asked(&mut session).await;
    let next = double.issue(request);
    give(&session, next.clone()).await;
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), next[0]);
    let session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(welcome(2))).await;
    running.until("online again", |state| state.online_epoch() == Some(2)).await;
    running.stop().await.unwrap();

    // Started again it has the same key, and proves it where its certificate is of no use.
    let running = RunningBox::start(folder.path(), config_of(&double, &chip));
    double.attempt().await.refuse(Status::unauthenticated("peer.certificate_expired: Too old."));
    assert_eq!(within(double.proved.recv()).await.unwrap(), public_key_info);
    let attempt = double.attempt().await;
    assert!(!folder.path().join("identity-key.pem").exists());
    let here = std::thread::current().id();
    assert!(!chip.0.signed_on.lock().unwrap().contains(&here), "the agent goes on while the chip signs");

    // At the end of its service the chip forgets the key.
    double
        .recovery
        .send_replace(Some(Answer::Refuse { reason: "peer.identity_wipe".to_owned(), retry_after_ms: None }));
    attempt.refuse(Status::unauthenticated("peer.certificate_expired: Not you."));
    let is_wiped =
        |state: &AgentState| matches!(state.enrollment, EnrollmentState::Decommissioned { is_wiped: true, .. });
    running.until("wiped", is_wiped).await;
    assert!(!chip.has_key());
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_key_that_does_not_sign_is_asked_again() {
    let (mut double, chip) = (Double::start().await, Chip::default());
    let folder = tempfile::tempdir().unwrap();
    chip.set(Some(Fault::DoesNotSign));
    let running = RunningBox::start(folder.path(), config_of(&double, &chip));
    let failed = |state: &AgentState| matches!(state.enrollment, EnrollmentState::Failed { .. });
    let EnrollmentState::Failed { reason, message, tries_again } = running.until("failed", failed).await.enrollment
    else {
        panic!("failed")
    };
    assert_eq!((reason.as_str(), message.as_str(), tries_again), ("identity.key_failed", CAUSE, true));
    chip.set(None);
    let attempt = double.attempt().await;
    let shown = attempt.shown.to_vec();

    // A session goes on without its next certificate, until it is asked for once more.
    let mut session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(welcome(1))).await;
    chip.set(Some(Fault::DoesNotSign));
    let mut missed = chip.0.missed.subscribe();
    session.say(ToBox::RenewCertificate(RenewCertificate {})).await;
    within(missed.changed()).await.unwrap();
    chip.set(None);
    asked(&mut session).await;

    // No session begins without the key, and the certificate is not blamed for it.
    chip.set(Some(Fault::DoesNotSign));
    session.end(Status::unavailable("link.server_stopped: Back in a moment.")).await;
    let state = running.until("offline for its key", offline_for("identity.key_failed")).await;
    let LinkState::Offline { message, .. } = state.link else { panic!("offline") };
    assert_eq!(message, CAUSE);
    chip.set(None);
    assert_eq!(double.attempt().await.shown.to_vec(), shown);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_found_for_once_is_not_replaced() {
    let (mut double, chip) = (Double::start().await, Chip::default());
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config_of(&double, &chip));
    let shown = double.attempt().await.shown.to_vec();
    running.kill().await;
    chip.set(Some(Fault::DoesNotAnswer));
    let error = RunningBox::start(folder.path(), config_of(&double, &chip)).ended().await.unwrap_err();
    assert!(matches!(error, AgentError::Identity(IdentityError::Store { .. })), "{error}");
    chip.set(None);
    let running = RunningBox::start(folder.path(), config_of(&double, &chip));
    assert_eq!(double.attempt().await.shown.to_vec(), shown);
    running.stop().await.unwrap();
}
