//! Connections, and the transactions made on them.

use crate::connection::{PooledConnection, Silence};
use crate::error::StoreError;
use crate::scope::{AccountScope, OrganizationScope};
use crate::wakeups::WakeupSource;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Transaction};
use kaliun_types::id::AccountId;
use std::sync::LazyLock;
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::{Instrument, Span};

/// Longest time a statement may run before the server ends it.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest wait for a row lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time a transaction may sit without a statement: a task of ours has died.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait for a free connection.
const POOL_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for a new connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection on which nothing comes back for so long is given up by the kernel, also while it waits: a database that vanished from
/// the network says nothing.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// A quiet connection is asked for a sign of life after this long, then each `KEEPALIVE_INTERVAL`.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Connections for people, and for ingest and reconcilers. Together they keep two cores of a database busy without waiting.
const APP_CONNECTIONS: usize = 8;
const SYSTEM_CONNECTIONS: usize = 8;
/// Connections for checking who people are. A check takes about a millisecond, so four do thousands a second; and they are
/// nobody else's, so people get in while a whole fleet comes back.
const GATE_CONNECTIONS: usize = 4;

/// The doors to the database.
#[derive(Clone)]
pub struct Store {
    /// For people, inside one organization.
    pub app: AppStore,
    /// For enrolment, ingest and reconcilers.
    pub system: SystemStore,
    /// For finding out who somebody is.
    pub gate: SystemStore,
    /// What other replicas tell.
    pub wakeups: WakeupSource,
}

/// Acts as `kaliun_app`, always inside one organization.
#[derive(Clone)]
pub struct AppStore {
    pool: Pool,
}

/// Acts as `kaliun_system`.
#[derive(Clone)]
pub struct SystemStore {
    pool: Pool,
}

impl Store {
    /// Makes the pools for the application's role and the system role, and remembers how to connect past a pooler. Opens no
    /// connection yet. Both may be the same login: each transaction takes its role.
    pub(crate) fn new(
        app: &Config,
        system: &Config,
        direct: &Config,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Self, deadpool_postgres::BuildError> {
        Ok(Self {
            app: AppStore { pool: pool(app, APP_CONNECTIONS, tls.clone())? },
            system: SystemStore { pool: pool(system, SYSTEM_CONNECTIONS, tls.clone())? },
            gate: SystemStore { pool: pool(system, GATE_CONNECTIONS, tls.clone())? },
            wakeups: WakeupSource::new(direct, tls),
        })
    }

    /// Closes all connections that are not at work; nobody gets one any more.
    pub fn close(&self) {
        self.app.pool.close();
        self.system.pool.close();
        self.gate.pool.close();
    }
}

fn pool(
    config: &Config,
    size: usize,
    tls: Option<rustls::ClientConfig>,
) -> Result<Pool, deadpool_postgres::BuildError> {
    let mut config = config.clone();
    bound(&mut config);
    let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match tls {
        Some(tls) => Manager::from_config(config, MakeRustlsConnect::new(tls), manager_config),
        None => Manager::from_config(config, NoTls, manager_config),
    };
    Pool::builder(manager)
        .max_size(size)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .wait_timeout(Some(POOL_WAIT))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .recycle_timeout(Some(CONNECT_TIMEOUT))
        .build()
}

/// Bounds how long a connection may take to come about, and to be dead without being noticed.
pub(crate) fn bound(config: &mut Config) {
    config
        .application_name("kaliun-control-plane")
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(SILENCE_MAX)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL);
}

impl AppStore {
    /// Takes a connection for one transaction.
    pub(crate) async fn connection(&self, operation: &'static str) -> Result<PooledConnection, StoreError> {
        take(&self.pool, operation).await
    }
}

impl SystemStore {
    /// Takes a connection for one transaction.
    pub(crate) async fn connection(&self, operation: &'static str) -> Result<PooledConnection, StoreError> {
        take(&self.pool, operation).await
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection("ping").await?;
        let (client, silence) = connection.parts();
        silence.answered("ping", client.batch_execute("SELECT 1")).await
    }
}

async fn take(pool: &Pool, operation: &'static str) -> Result<PooledConnection, StoreError> {
    let taken = pool.get().await.map_err(|source| StoreError::Pool { operation, source: Box::new(source) });
    taken.map(PooledConnection::new)
}

/// Set inside each transaction: behind a pooler the next one may be on another connection, and start-up options are not passed on.
static TIMEOUTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
        STATEMENT_TIMEOUT.as_millis(),
        LOCK_TIMEOUT.as_millis(),
        IDLE_IN_TRANSACTION_TIMEOUT.as_millis()
    )
});

/// Says to row-level security how far a transaction reaches. UUIDs print as hexadecimal digits and hyphens only, so they are safe inside
/// the quotes.
fn binding(scope: &OrganizationScope) -> String {
    format!(
        "SELECT set_config('kaliun.organization_id', '{}', true), set_config('kaliun.reach', '{}', true)",
        scope.organization(),
        scope.reach_setting()
    )
}

/// Says to row-level security whose things a transaction is about. As with organizations: a UUID is safe inside the quotes.
fn account_binding(account: AccountId) -> String {
    format!("SELECT set_config('kaliun.account_id', '{account}', true)")
}

/// A transaction that knows what it is for. Its span lasts as long as it does, below that of whoever asked.
pub(crate) struct Txn<'a> {
    inner: Transaction<'a>,
    silence: &'a Silence,
    operation: &'static str,
    span: Span,
}

impl<'a> Txn<'a> {
    /// Begins a transaction as `kaliun_app` inside the scope's organization.
    pub(crate) async fn begin_app(
        connection: &'a mut PooledConnection,
        scope: &OrganizationScope,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        Self::begin(connection, &format!("SET LOCAL ROLE kaliun_app; {}", binding(scope)), operation).await
    }

    /// Begins a transaction as `kaliun_system` for somebody: what it may touch is bound as it is for the application.
    pub(crate) async fn begin_system_for(
        connection: &'a mut PooledConnection,
        scope: &OrganizationScope,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        Self::begin(connection, &format!("SET LOCAL ROLE kaliun_system; {}", binding(scope)), operation).await
    }

    /// Begins a transaction as `kaliun_system` for a person, about what is theirs: it sees nobody else's.
    pub(crate) async fn begin_person(
        connection: &'a mut PooledConnection,
        scope: &AccountScope,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        let bound = account_binding(scope.account());
        Self::begin(connection, &format!("SET LOCAL ROLE kaliun_system; {bound}"), operation).await
    }

    /// Begins a transaction as `kaliun_system`.
    pub(crate) async fn begin_system(
        connection: &'a mut PooledConnection,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        Self::begin(connection, "SET LOCAL ROLE kaliun_system", operation).await
    }

    async fn begin(
        connection: &'a mut PooledConnection,
        setup: &str,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        let span = tracing::info_span!("db", otel.name = format_args!("db.{operation}"), otel.kind = "client");
        let (client, silence) = connection.parts();
        let begun = async {
            let inner = client.transaction().await?;
            inner.batch_execute(&format!("{}; {setup}", *TIMEOUTS)).await?;
            Ok(inner)
        };
        let inner = silence.answered(operation, begun.instrument(span.clone())).await?;
        Ok(Self { inner, silence, operation, span })
    }

    /// Binds a transaction of `kaliun_system` to a scope from here on, after it has looked at what belongs to all.
    pub(crate) async fn bind(&self, scope: &OrganizationScope) -> Result<(), StoreError> {
        let binding = binding(scope);
        let bound = self.inner.batch_execute(&binding);
        self.silence.answered(self.operation, bound.instrument(self.span.clone())).await
    }

    /// Binds a transaction of `kaliun_system` to a person from here on, once it found out who it is.
    pub(crate) async fn bind_account(&self, account: AccountId) -> Result<(), StoreError> {
        let binding = account_binding(account);
        let bound = self.inner.batch_execute(&binding);
        self.silence.answered(self.operation, bound.instrument(self.span.clone())).await
    }

    /// Takes the bounds of a transaction of `kaliun_system` away, for a look at what belongs to all. `bind` comes right after it.
    pub(crate) async fn unbind(&self) -> Result<(), StoreError> {
        let setting = "SELECT set_config('kaliun.organization_id', '', true), set_config('kaliun.reach', '', true)";
        let unbound = self.inner.batch_execute(setting);
        self.silence.answered(self.operation, unbound.instrument(self.span.clone())).await
    }

    pub(crate) async fn rows(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let asked = async { self.inner.query(&self.inner.prepare_cached(sql).await?, params).await };
        self.silence.answered(self.operation, asked.instrument(self.span.clone())).await
    }

    pub(crate) async fn row_opt(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    pub(crate) async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, StoreError> {
        let asked = async { self.inner.execute(&self.inner.prepare_cached(sql).await?, params).await };
        self.silence.answered(self.operation, asked.instrument(self.span.clone())).await
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let Self { inner, silence, operation, span } = self;
        silence.answered(operation, inner.commit().instrument(span)).await
    }
}

/// Reads a column, naming it when it does not fit.
pub(crate) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    table: &'static str,
    name: &'static str,
) -> Result<T, StoreError> {
    row.try_get(name).map_err(|_| StoreError::Inconsistent { table, column: name, id: "a row just read".to_owned() })
}
