//! Rules and state machines as plain values. No IO, no async, no clock: `now` and randomness are arguments.

pub mod authorization;
pub mod certificate;
pub mod certificate_order;
pub mod claim_code;
pub mod clone;
pub mod consent;
pub mod device;
pub mod domain_name;
pub mod enrollment;
pub mod event;
pub mod external_sign_in;
pub mod invitation;
pub mod joining;
pub mod lifecycle;
pub mod mail;
pub mod mailed_secret;
pub mod name_pattern;
pub mod password;
pub mod posture;
pub mod role;
pub mod room;
pub mod rotation;
pub mod standing;
pub mod time_zone;
pub mod token;
pub mod user_code;
