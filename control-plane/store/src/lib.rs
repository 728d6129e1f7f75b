//! The only crate that speaks to Postgres.
