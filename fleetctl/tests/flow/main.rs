//! Flows: whole command lines against a control plane's double over real gRPC.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod access;
mod accounts;
mod authorities;
mod changes;
mod contexts;
mod double;
mod enrollments;
mod errors;
mod homes;
mod joining;
mod json;
mod lifecycle;
mod login;
mod organizations;
mod people;
mod posture;
mod renewal;
mod tables;
mod things;
mod tls;
mod watching;
mod workbench;
