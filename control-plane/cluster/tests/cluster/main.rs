//! Private clusters, with the machine's real Postgres.

mod child;
mod folder;
mod lifecycle;
mod throwaway;
