//! Wake-ups between replicas: hints that something is to be looked at, over LISTEN and NOTIFY. What is true stands in the rows, and
//! is looked for now and then anyway.

use crate::error::StoreError;
use crate::pool::{CONNECT_TIMEOUT, SystemStore, Txn, bound};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The channel.
const CHANNEL: &str = "kaliun_wakeups";
const LISTEN: &str = "LISTEN kaliun_wakeups";
const OPERATION: &str = "wakeups";

/// Where wake-ups come from: a connection of its own, never through a pooler.
#[derive(Clone)]
pub struct WakeupSource {
    config: Config,
    tls: Option<rustls::ClientConfig>,
}

type Messages = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> + Send>;

/// Wake-ups since the connection came about.
pub struct Wakeups {
    /// Kept, for the connection ends with it.
    _client: Client,
    messages: Messages,
}

impl WakeupSource {
    pub(crate) fn new(config: &Config, tls: Option<rustls::ClientConfig>) -> Self {
        let mut config = config.clone();
        bound(&mut config);
        Self { config, tls }
    }

    /// Connects and listens from now on.
    ///
    /// # Errors
    /// The database cannot be reached, or says nothing.
    pub async fn connect(&self) -> Result<Wakeups, StoreError> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect_and_listen()).await;
        connected.map_err(|_elapsed| StoreError::Silent { operation: OPERATION })?
    }

    async fn connect_and_listen(&self) -> Result<Wakeups, StoreError> {
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(StoreError::at(OPERATION))?;
                listen(client, messages(connection)).await
            }
            Some(tls) => {
                let connected = self.config.connect(MakeRustlsConnect::new(tls.clone())).await;
                let (client, connection) = connected.map_err(StoreError::at(OPERATION))?;
                listen(client, messages(connection)).await
            }
        }
    }
}

fn messages<S, T>(mut connection: Connection<S, T>) -> Messages
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::new(move |context| connection.poll_message(context))
}

/// Nothing moves on a connection but while its messages are read, so both are done side by side.
async fn listen(client: Client, mut messages: Messages) -> Result<Wakeups, StoreError> {
    {
        let mut listening = pin!(client.batch_execute(LISTEN));
        loop {
            tokio::select! {
                listens = &mut listening => {
                    listens.map_err(StoreError::at(OPERATION))?;
                    break;
                }
                message = poll_fn(|context| messages(context)) => {
                    message.ok_or(StoreError::Silent { operation: OPERATION })?.map_err(StoreError::at(OPERATION))?;
                }
            }
        }
    }
    Ok(Wakeups { _client: client, messages })
}

impl Wakeups {
    /// The next one's text.
    ///
    /// # Errors
    /// The connection is over; what was said since is lost.
    pub async fn next(&mut self) -> Result<String, StoreError> {
        loop {
            match poll_fn(|context| (self.messages)(context)).await {
                Some(Ok(AsyncMessage::Notification(notification))) => return Ok(notification.payload().to_owned()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(StoreError::at(OPERATION)(error)),
                None => return Err(StoreError::Silent { operation: OPERATION }),
            }
        }
    }
}

impl SystemStore {
    /// Tells all replicas something. At most 8,000 bytes. Never part of a change: it is told after the change has been committed.
    ///
    /// # Errors
    /// The database failed; nobody was told.
    pub async fn wake(&self, text: &str) -> Result<(), StoreError> {
        let mut connection = self.connection("wake").await?;
        let txn = Txn::begin_system(&mut connection, "wake").await?;
        txn.rows("SELECT pg_notify($1, $2)", &[&CHANNEL, &text]).await?;
        txn.commit().await
    }
}
