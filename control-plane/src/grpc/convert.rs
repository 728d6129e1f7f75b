//! Between the wire and our own types: fallible on the way in, plain on the way out.

pub(crate) mod audit;
pub(crate) mod consent;
pub(crate) mod device;
pub(crate) mod link;
pub(crate) mod people;
pub(crate) mod role;
