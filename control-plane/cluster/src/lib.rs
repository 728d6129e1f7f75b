//! A private Postgres cluster, run from the machine's own Postgres programs.
//!
//! With no database of its own to speak to, the control plane brings one: a data folder made by `initdb`, a postmaster
//! that listens on a unix socket in a folder only its user can enter, and a task that starts it again when it dies.
//! This crate owns the folder, the postmaster process and the lock that keeps a second server away; it knows nothing of
//! what is stored. Nothing listens on the network.
//!
//! Layout of a cluster's home, which is the folder that was asked for unless its Postgres user cannot get there
//! (see [`PrivateCluster::start`]):
//!
//! | name | what |
//! | --- | --- |
//! | `data/` | Postgres' own data folder, owned by the user Postgres runs as |
//! | `postgresql.conf`, `pg_hba.conf`, `pg_ident.conf` | written anew at each start |
//! | `local.conf` | settings of the operator's own, read last; never written by us |
//! | `postgres.log`, `postgres.log.1` | what Postgres says, at most 8 MiB each |
//! | `socket/` | the unix socket, unless its path would be too long |
//! | `lock` | held while a server uses this cluster |

mod account;
mod cluster;
mod error;
mod home;
mod initdb;
mod lock;
mod log;
mod postmaster;
mod process;
mod programs;
mod settings;
mod socket;
mod supervisor;
mod tasks;
#[cfg(feature = "testing")]
pub mod testing;

pub use cluster::{ADMIN, ClusterConfig, ClusterState, PrivateCluster};
pub use error::ClusterError;
pub use programs::Programs;
