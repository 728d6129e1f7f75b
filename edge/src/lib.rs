//! The edge agent: enrols the box, keeps the link, samples the machine, spools what nobody has stored yet.
//!
//! [`agent::run`] is all of it as one future over a [`host::Host`]. The program runs it on the Linux machine it is on; the
//! simulator runs thousands over simulated ones.

pub mod agent;
pub mod agent_state;
pub mod cli;
pub mod client_tls;
pub mod clock;
pub mod config;
pub mod connection;
pub mod console;
pub mod decommission;
pub mod dialer;
pub mod enrollment;
pub mod facts;
pub mod homeassistant;
pub mod host;
pub mod identity;
pub mod journal;
mod kept;
pub mod link;
mod measuring;
pub mod new_key;
mod published;
pub mod recovery;
pub mod refusal;
mod remembered;
pub mod sample;
pub mod server_address;
pub mod shown;
pub mod spool;
pub mod state_dir;
pub mod status;
pub mod tasks;
pub mod trust;
mod uplink;
