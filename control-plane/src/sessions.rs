//! The live streams of devices.
//!
//! A session is one stream and has no task of its own: it lives in the task that hyper runs for the stream. `registry` holds
//! a handle to each; `opener` begins and ends them in the database, many at once; `ingest` stores what they send; `sweeper`
//! keeps them alive and ends the silent ones.

mod allowance;
pub(crate) mod authorities;
pub(crate) mod handle;
pub(crate) mod ingest;
pub(crate) mod opener;
pub(crate) mod registry;
pub(crate) mod renewals;
pub(crate) mod stream;
pub(crate) mod sweeper;
