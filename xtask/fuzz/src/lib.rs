//! Fuzz targets: one for everything that reads bytes of somebody whom nobody knows yet.
//!
//! A target is a plain function over bytes that panics where something is wrong, and says whether the bytes were taken for what
//! they should be. The inputs in `corpus/` are where all fuzzing begins; a finding is kept there for good. `tests/targets.rs` runs each
//! target over them and over changed ones, the same each time; `cargo xtask fuzz` lets libFuzzer go on, by coverage.

pub mod corpus;
pub mod mutation;
mod parts;
mod target;

pub use parts::{join, split};
pub use target::{KNOWN_EXPORTER, KNOWN_NONCE, Outcome, TARGETS, Target, find, now};
