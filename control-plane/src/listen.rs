//! The listeners: one for boxes, one for people and programs, one for probes.

pub(crate) mod accept;
mod activity;
mod connection;
pub(crate) mod device;
mod device_connections;
pub(crate) mod forwarded;
mod http;
pub(crate) mod internal;
pub(crate) mod peer;
pub(crate) mod places;
pub(crate) mod proxied;
pub(crate) mod public;
pub(crate) mod source;
pub(crate) mod source_places;
pub(crate) mod turns;

pub(crate) use connection::ConnectionHandle;
pub(crate) use peer::PeerConnection;
