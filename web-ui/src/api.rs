//! Typed calls to the control plane: one file per service, each call gives the answer's content or a `Failure`.

pub(crate) mod account;
pub(crate) mod certificate;
pub(crate) mod claim;
pub(crate) mod client;
pub(crate) mod device;
pub(crate) mod enrollment;
pub(crate) mod history;
pub(crate) mod installation;
pub(crate) mod watch;
