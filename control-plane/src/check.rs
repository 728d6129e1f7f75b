//! `control-plane config check`: what a start would find wrong beyond the words of the configuration, without starting anything.

use crate::bootstrap;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::identity_providers::IdentityProviders;
use crate::listen::public;
use crate::mail;
use kaliun_store::DatabaseAccess;

/// Looks at every file that the configuration names. Answers one line for each that does not serve, beginning with its key.
#[must_use]
pub fn files(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some((cert, key)) = &config.public_tls
        && let Err(error) = public::tls_config(cert, key)
    {
        problems.push(format!("public_tls_cert, public_tls_key: {error}"));
    }
    if let Err(error) = bootstrap::secrets(config) {
        problems.push(error.to_string());
    }
    if let Err(error) = IdentityProviders::open(config, &Clock::default()) {
        problems.push(error.to_string());
    }
    if let Database::Url { ca: Some(ca), .. } = &config.database
        && let Err(error) = DatabaseAccess::check_roots(ca)
    {
        problems.push(error.to_string());
    }
    if let Some(config) = &config.mail
        && let Err(error) = mail::check(config)
    {
        problems.push(error.to_string());
    }
    problems
}
