//! The real server in this process, on a real Postgres, spoken to over real sockets.

mod authorization;
mod balancers;
mod bounds;
mod browser;
mod configuration;
mod devices;
mod frames;
mod garbage;
mod history;
mod keys_at_rest;
mod lifecycle;
mod recovery;
mod refusals;
mod renewal;
mod replicas;
mod revocation;
mod rotation;
mod setbacks;
mod starting;
mod strangers;
mod support;
mod tenants;
mod traces;
mod watch_bounds;
mod watch_rights;
mod watching;
