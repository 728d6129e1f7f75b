//! A box whose key is in a chip that gives nothing but signatures away, at the real server.

use crate::inside::{Inside, online, reached};
use anyhow::{Context as _, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use kaliun_edge::agent_state::{AgentState, EnrollmentState};
use kaliun_edge::identity::{DeviceKey, IdentityError, KeyStore, SigningError};
use kaliun_edge::state_dir::StateDir;
use std::sync::{Arc, Mutex, PoisonError};

/// Has room for one box's key.
#[derive(Default)]
struct Chip(Mutex<Option<Arc<dyn DeviceKey>>>);

struct ChipKey(EcdsaKeyPair);

impl std::fmt::Debug for Chip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Chip")
    }
}

impl KeyStore for Chip {
    fn load(&self, _state: &StateDir) -> Result<Option<Arc<dyn DeviceKey>>, IdentityError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn create(&self, _state: &StateDir) -> Result<Arc<dyn DeviceKey>, IdentityError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|source| IdentityError::Store { operation: "make", source: source.into() })?;
        let key: Arc<dyn DeviceKey> = Arc::new(ChipKey(key));
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key).clone())
    }

    fn forget(&self, _state: &StateDir) -> Result<(), IdentityError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

impl DeviceKey for ChipKey {
    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(SigningError::new)?;
        Ok(signature.as_ref().to_vec())
    }

    fn may_block(&self) -> bool {
        true
    }
}

/// The device, and when its certificate begins.
fn certificate(state: &AgentState) -> Option<(&str, i64)> {
    if let EnrollmentState::Enrolled { device_id, certificate_begins_at_ms, .. } = &state.enrollment {
        Some((device_id, *certificate_begins_at_ms))
    } else {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_with_its_key_in_a_chip_enrols_renews_and_recovers() -> anyhow::Result<()> {
    let mut inside = Inside::start().await?;
    inside.keep_keys_in(Arc::new(Chip::default()));
    let simulated = inside.start_box(1)?;
    // Once it was heard in its session: a clock that moves before that moves nothing in it.
    let state = reached(&simulated, "heard", |state| state.events.acknowledged > 0).await?;
    let (device_id, first) = certificate(&state).context("enrolled")?;

    // More than two thirds of its certificate's life are over.
    inside.advance_days(22);
    let is_renewed = |state: &AgentState| {
        certificate(state).is_some_and(|(_, begins)| begins > first) && state.online_epoch().is_some()
    };
    reached(&simulated, "renewed", is_renewed).await?;
    simulated.stop().await?;

    inside.advance_days(100);
    let simulated = inside.start_box(1)?;
    let state = online(&simulated).await?;
    ensure!(certificate(&state).is_some_and(|(same, _)| same == device_id), "{state:?}");
    assert_eq!(inside.count("SELECT count(*) FROM event WHERE code = 'device.recovered'").await?, 1);
    simulated.stop().await?;
    inside.stop().await;
    Ok(())
}
