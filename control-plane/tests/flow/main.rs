//! The real server in this process, on a real Postgres, spoken to over real sockets.

mod authorization;
mod bounds;
mod devices;
mod refusals;
mod replicas;
mod setbacks;
mod starting;
mod support;
mod watching;
