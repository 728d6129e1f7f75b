//! What programs read: the JSON form of each thing, made from the contract's messages. `docs/howto/fleetctl-json.md`
//! describes it, and snapshots in `tests/` hold it. Fields are only ever added; an absent value is null.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod certificate;
pub(crate) mod claim;
pub(crate) mod consent;
pub(crate) mod context;
pub(crate) mod device;
pub(crate) mod enrollment;
pub(crate) mod event;
pub(crate) mod finding;
pub(crate) mod identity;
pub(crate) mod installation;
pub(crate) mod invitation;
pub(crate) mod mail;
pub(crate) mod organization;
pub(crate) mod rotation;
pub(crate) mod sample;
pub(crate) mod session;
pub(crate) mod sign_up;
pub(crate) mod token;
pub(crate) mod verification;
mod word;

/// An empty text means that there is none.
fn some_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Labels as `key=value`, by key.
pub(crate) fn label_text(labels: &std::collections::BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
