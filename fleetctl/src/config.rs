//! The configuration file: the servers that fleetctl knows, each under a name.
//!
//! It holds tokens, so it is written with mode 0600, as a whole, beside the old one and then put in its place.

mod file;
pub(crate) mod heads;

pub(crate) use file::{Locked, change, load, location};

use kaliun_types::secret::SecretText;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the context used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// By name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// One server, how to sign in to it, and in which organization to act there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Address of the public listener.
    pub(crate) server: String,
    /// API token; absent when a person is signed in, before `login` and after `logout`.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose", deserialize_with = "wrap")]
    pub(crate) token: Option<SecretText>,
    /// PEM file with certificate authorities to trust in place of the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Where a person's calls act; absent for the organization that the server chooses. API tokens have one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization: Option<Organization>,
    /// A person's session; absent with an API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session>,
}

impl Context {
    /// A server that nobody is signed in to.
    pub(crate) fn new(server: String, ca: Option<PathBuf>) -> Self {
        Self { server, token: None, ca, organization: None, session: None }
    }

    /// Forgets who is signed in, and where they act.
    pub(crate) fn forget_person(&mut self) {
        self.token = None;
        self.session = None;
        self.organization = None;
    }
}

/// An organization that a context acts in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Organization {
    /// UUID.
    pub(crate) id: String,
    /// What it was called when it was chosen, for people.
    pub(crate) name: String,
}

/// A session of `fleetctl login`. Both tokens are replaced each time that it is renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// The person's address when they signed in, for people.
    pub(crate) email: String,
    /// For each call.
    #[serde(serialize_with = "expose_secret", deserialize_with = "wrap_secret")]
    pub(crate) access_token: SecretText,
    /// When that one ends, by this machine's clock. Milliseconds since the Unix epoch.
    pub(crate) access_expires_at_ms: i64,
    /// For the next access token, once.
    #[serde(serialize_with = "expose_secret", deserialize_with = "wrap_secret")]
    pub(crate) refresh_token: SecretText,
    /// When the session ends if it is not used. Milliseconds since the Unix epoch.
    pub(crate) expires_at_ms: i64,
}

#[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
fn expose<S: Serializer>(token: &Option<SecretText>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(SecretText::expose).serialize(serializer)
}

fn wrap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretText>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|token| token.map(SecretText::new))
}

fn expose_secret<S: Serializer>(secret: &SecretText, serializer: S) -> Result<S::Ok, S::Error> {
    secret.expose().serialize(serializer)
}

fn wrap_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretText, D::Error> {
    String::deserialize(deserializer).map(SecretText::new)
}
