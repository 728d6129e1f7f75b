//! The configuration file: the servers that fleetctl knows, each under a name.
//!
//! It holds tokens, so it is written with mode 0600, as a whole, beside the old one and then put in its place.

mod file;
pub(crate) mod heads;

pub(crate) use file::{change, load, location};

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

/// One server and how to sign in to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Address of the public listener.
    pub(crate) server: String,
    /// API token; absent before `login` and after `logout`.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose", deserialize_with = "wrap")]
    pub(crate) token: Option<SecretText>,
    /// PEM file with certificate authorities to trust in place of the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

#[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
fn expose<S: Serializer>(token: &Option<SecretText>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(SecretText::expose).serialize(serializer)
}

fn wrap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretText>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|token| token.map(SecretText::new))
}
