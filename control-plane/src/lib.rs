//! The control plane: every box keeps one stream to it; people and programs ask it about them.

pub mod audit;
pub mod authority;
pub mod bootstrap;
pub mod ca;
pub mod changes;
pub mod check;
pub mod clock;
pub mod config;
mod digest;
pub mod domain_proof;
pub mod ended_devices;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grpc;
pub mod identity_providers;
mod limiter;
mod listen;
pub mod mail;
mod metrics;
mod reconcile;
pub mod restored;
mod rights;
pub mod server;
mod sessions;
mod sign_in;
mod tasks;
pub mod telemetry;
mod wakeups;
mod web;

pub use grpc::account::SignUpPolicy;
