//! The listeners: one for boxes, one for people and programs, one for probes.

mod connection;
pub(crate) mod device;
pub(crate) mod internal;
pub(crate) mod peer;
pub(crate) mod public;

pub(crate) use connection::ConnectionHandle;
pub(crate) use peer::PeerConnection;
