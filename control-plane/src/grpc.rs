//! The services: one file each. A handler converts, asks the store or the sessions, and converts back.

pub(crate) mod account;
pub(crate) mod admission;
pub(crate) mod api_token;
pub(crate) mod auth;
pub(crate) mod authority;
pub(crate) mod body;
pub(crate) mod certificate;
pub(crate) mod claim;
pub(crate) mod convert;
pub(crate) mod device;
pub(crate) mod enrollment;
pub(crate) mod history;
pub(crate) mod installation;
pub(crate) mod join_token;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod page;
pub(crate) mod posture;
pub(crate) mod recovery;
pub(crate) mod server_version;
pub(crate) mod sign_up;
pub(crate) mod status;
pub(crate) mod watch;
