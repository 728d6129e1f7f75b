//! The store on a real Postgres, with a database for each test.

mod admissions;
mod any_sequence;
mod audit_chain;
mod consents;
mod devices;
mod doors;
mod enrollment_refusals;
mod events;
mod home_people;
mod installations;
mod invitations;
mod keys;
mod mailed_secrets;
mod mails;
mod memberships;
mod my_organizations;
mod page_token_key;
mod partitions;
mod people;
mod schema;
mod schema_file;
mod sessions;
mod silent;
mod support;
