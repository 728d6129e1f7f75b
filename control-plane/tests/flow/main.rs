//! The real server in this process, on a real Postgres, spoken to over real sockets.

mod authorization;
mod devices;
mod frames;
mod garbage;
mod refusals;
mod support;
mod tenants;
mod watching;
