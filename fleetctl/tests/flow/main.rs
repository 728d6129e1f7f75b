//! Flows: whole command lines against a control plane's double over real gRPC.

mod changes;
mod contexts;
mod double;
mod errors;
mod json;
mod tables;
mod things;
mod watching;
mod workbench;
