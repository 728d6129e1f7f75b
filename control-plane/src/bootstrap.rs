//! What a control plane makes at its very first start: an organization, a home, an admin.

use crate::clock;
use crate::config::Config;
use crate::digest::{random, sha256};
use crate::grpc::account::hash_password;
use crate::grpc::auth::API_TOKEN_PREFIX;
use data_encoding::BASE64URL_NOPAD;
use kaliun_proto::link::v1::SettingsDocument;
use kaliun_store::{FirstStart, StoreError, SystemStore};
use prost::Message;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// How long the first API token works.
const TOKEN_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Shortest password for the first admin, characters (NIST SP 800-63B-4 wants 15 without a second factor for new systems; a made one
/// has 24).
const PASSWORD_MIN_CHARS: usize = 12;

/// The first start failed.
#[derive(Debug, Error)]
pub enum BootstrapError {
    /// A file with a secret cannot be read.
    #[error("{key}: {} cannot be read: {source}", path.display())]
    File {
        /// The configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A secret does not fit.
    #[error("{key}: {problem}")]
    Secret {
        /// The configuration key.
        key: &'static str,
        /// What would be right.
        problem: &'static str,
    },
    /// The password could not be hashed.
    #[error("the first admin's password could not be hashed")]
    Hash,
    /// The database failed.
    #[error("the first organization could not be made")]
    Store(#[from] StoreError),
}

/// Makes what is missing. Answers the first admin's password when it was made here, to be shown once.
///
/// # Errors
/// See [`BootstrapError`].
pub async fn bootstrap(config: &Config, store: &SystemStore) -> Result<Option<String>, BootstrapError> {
    if store.organization_exists().await? {
        return Ok(None);
    }
    let Secrets { password: given, token } = secrets(config)?;
    let made = given.is_none().then(|| BASE64URL_NOPAD.encode(&random::<18>()));
    let password = given.or_else(|| made.clone()).unwrap_or_default();
    let hash = tokio::task::spawn_blocking(move || hash_password(&password))
        .await
        .map_err(|_panicked| BootstrapError::Hash)?
        .map_err(|_failed| BootstrapError::Hash)?;
    let token_hash = token.map(|token| sha256(token.as_bytes()));
    let first = FirstStart {
        organization_name: "My fleet",
        installation_name: "Home",
        admin_email: &config.first_admin_email,
        admin_password_hash: &hash,
        api_token: token_hash.as_ref().map(|hash| (&hash[..], clock::now() + TOKEN_LIFETIME)),
        settings_document: &first_settings(config),
    };
    let made_here = store.organization_bootstrap(first).await?;
    Ok(made.filter(|_| made_here))
}

/// What boxes of a new organization shall report, until somebody says otherwise: an encoded `SettingsDocument`.
pub(crate) fn first_settings(config: &Config) -> Vec<u8> {
    SettingsDocument { sample_interval_ms: config.sample_interval_ms }.encode_to_vec()
}

/// What the operator chose for the first start.
pub(crate) struct Secrets {
    password: Option<String>,
    token: Option<String>,
}

/// Reads the files with the first admin's password and the first API token.
///
/// # Errors
/// One cannot be read, or what it holds does not serve.
pub(crate) fn secrets(config: &Config) -> Result<Secrets, BootstrapError> {
    let password = read("first_admin_password_file", config.first_admin_password_file.as_deref())?;
    if password.as_ref().is_some_and(|password| password.chars().count() < PASSWORD_MIN_CHARS) {
        let problem = "the password in the file must have at least 12 characters";
        return Err(BootstrapError::Secret { key: "first_admin_password_file", problem });
    }
    let token = read("first_api_token_file", config.first_api_token_file.as_deref())?;
    if token.as_ref().is_some_and(|token| !token.starts_with(API_TOKEN_PREFIX) || token.len() < 40) {
        let problem = "the file must hold kat1. and at least 36 random characters";
        return Err(BootstrapError::Secret { key: "first_api_token_file", problem });
    }
    Ok(Secrets { password, token })
}

fn read(key: &'static str, path: Option<&Path>) -> Result<Option<String>, BootstrapError> {
    let Some(path) = path else { return Ok(None) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(source) => Err(BootstrapError::File { key, path: path.to_owned(), source }),
    }
}
