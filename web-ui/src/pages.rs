//! The pages, one folder or file for each noun.

pub(crate) mod claim;
pub(crate) mod device;
pub(crate) mod devices;
pub(crate) mod not_found;
pub(crate) mod sign_in;
pub(crate) mod waiting;
