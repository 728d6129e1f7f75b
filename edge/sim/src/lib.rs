//! Boxes by the thousand: the real agent over a simulated host.
//!
//! Tests and benches start a [`fleet::Fleet`] or single boxes of it and follow their states.

pub mod cli;
pub mod fleet;
pub mod host;
mod wave;
