//! The store on a real Postgres, with a database for each test.

mod admissions;
mod any_sequence;
mod devices;
mod doors;
mod enrollment_refusals;
mod events;
mod keys;
mod mailed_secrets;
mod mails;
mod page_token_key;
mod partitions;
mod schema;
mod schema_file;
mod sessions;
mod silent;
mod support;
