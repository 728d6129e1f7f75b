//! Words that every part of Kaliun Fleet shares: ids, names, limits, reason codes, health rules, the selector grammar and the audit chain.
//!
//! Pure: no IO, no clock, no async. Builds for wasm.

pub mod audit;
pub mod claim_check;
pub mod email;
pub mod health;
pub mod id;
pub mod join_token;
pub mod label;
pub mod limits;
pub mod name;
pub mod reason;
pub mod secret;
pub mod selector;
pub mod text;
