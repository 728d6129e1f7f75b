//! The pages, one folder or file for each noun.

pub(crate) mod account;
pub(crate) mod change_address;
pub(crate) mod claim;
pub(crate) mod confirm;
pub(crate) mod consents;
pub(crate) mod device;
pub(crate) mod devices;
pub(crate) mod home;
pub(crate) mod homes;
pub(crate) mod invitation;
mod invite;
pub(crate) mod login_device;
pub(crate) mod new_organization;
pub(crate) mod not_found;
pub(crate) mod organization;
pub(crate) mod password_reset;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
pub(crate) mod sign_ups;
pub(crate) mod waiting;
