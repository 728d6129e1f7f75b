//! Typed calls to the control plane: one file per service, each call gives the answer's content or a `Failure`.

pub(crate) mod account;
pub(crate) mod api_token;
pub(crate) mod certificate;
pub(crate) mod claim;
pub(crate) mod client;
pub(crate) mod consent;
pub(crate) mod device;
pub(crate) mod enrollment;
pub(crate) mod history;
pub(crate) mod installation;
pub(crate) mod invitation;
pub(crate) mod login;
pub(crate) mod organization;
pub(crate) mod sign_up;
pub(crate) mod watch;

/// Rows of a list that are shown at once: what a person looks through. More follow when they are asked for.
const PAGE: u32 = 50;
