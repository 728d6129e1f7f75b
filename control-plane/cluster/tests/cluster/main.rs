//! Private clusters, with the machine's real Postgres.

#[cfg(test)]
mod child;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod throwaway;
