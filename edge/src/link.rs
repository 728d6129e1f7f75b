//! The one stream that the box keeps to the control plane.

pub mod credit;
pub mod outage;
pub mod outbox;
pub mod pace;
mod renewal;
pub mod session;
pub mod settings;
pub mod state;
pub mod transport;
