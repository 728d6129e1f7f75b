//! The database that the server works on: a private one, or somebody else's.

use crate::config::{Config, Database as Choice};
use kaliun_cluster::{ADMIN, ClusterConfig, ClusterError, PrivateCluster};
use kaliun_store::{DatabaseAccess, OpenError, Store};
use std::path::Path;
use thiserror::Error;

/// Name of the private database.
const NAME: &str = "kaliun";

/// The database cannot be used.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The private cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The database in it, or somebody else's.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// An open database.
pub(crate) struct Database {
    store: Store,
    cluster: Option<PrivateCluster>,
}

impl Database {
    /// Opens it and brings its schema up to date.
    pub(crate) async fn open(config: &Config) -> Result<Self, DatabaseError> {
        match &config.database {
            Choice::Private => Self::open_private(&config.state_dir).await,
            Choice::Url { url, direct_url, ca } => {
                let (url, direct_url, ca) = (url.clone(), direct_url.clone(), ca.clone());
                let store = Store::open(&DatabaseAccess::Given { url, direct_url, ca }).await?;
                Ok(Self { store, cluster: None })
            }
        }
    }

    async fn open_private(state_dir: &Path) -> Result<Self, DatabaseError> {
        let cluster = PrivateCluster::start(ClusterConfig::new(state_dir.join("postgres"))).await?;
        match Self::open_in(&cluster).await {
            Ok(store) => Ok(Self { store, cluster: Some(cluster) }),
            Err(error) => {
                cluster.stop().await;
                Err(error)
            }
        }
    }

    async fn open_in(cluster: &PrivateCluster) -> Result<Store, DatabaseError> {
        cluster.ensure_database(NAME).await?;
        Ok(Store::open(&DatabaseAccess::Private(cluster.config(NAME, ADMIN).into())).await?)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Stops a private cluster.
    pub(crate) async fn close(self) {
        self.store.close();
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}
