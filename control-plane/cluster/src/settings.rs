//! The configuration files of a cluster, written anew at each start.

use crate::error::{ClusterError, IoContext};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of the socket file is made of this; nothing listens on the network.
pub(crate) const PORT: u16 = 5432;

/// Connections Postgres takes: four times the pools of a control plane (8, 8 and 4), for tests run several of them in one
/// cluster, and room for an operator's own.
const MAX_CONNECTIONS: u32 = 100;

/// Whether what was committed must outlive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// A real fleet's data.
    Full,
    /// A test's data, thrown away at its end.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "made by tests only"))]
    None,
}

/// Who may connect: whoever can reach the socket, which stands in a folder that only one user can enter.
const HBA: &str = "# Written at each start. The socket's folder is what keeps others out.\nlocal all all trust\n";

/// Writes the configuration files into a cluster's home.
pub(crate) fn write(home: &Path, socket: &Path, durability: Durability) -> Result<(), ClusterError> {
    write_file(&home.join("pg_hba.conf"), HBA)?;
    write_file(&home.join("pg_ident.conf"), "")?;
    write_file(&home.join("postgresql.conf"), &server_settings(socket, durability))
}

fn server_settings(socket: &Path, durability: Durability) -> String {
    let durable = match durability {
        Durability::Full => "on",
        Durability::None => "off",
    };
    // A socket's path holds neither quotes nor commas: socket.rs sees to that.
    format!(
        "# Written at each start; put settings of your own into local.conf beside this file.
listen_addresses = ''
port = {PORT}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = {MAX_CONNECTIONS}

# A machine of two cores that runs other things too.
shared_buffers = 128MB
work_mem = 8MB
maintenance_work_mem = 64MB
effective_cache_size = 512MB
max_worker_processes = 4
max_parallel_workers = 2
# Our queries are short; compiling them costs more than it saves.
jit = off
random_page_cost = 1.1

# What was acknowledged is on disk.
fsync = {durable}
synchronous_commit = {durable}
full_page_writes = {durable}
wal_level = replica
wal_compression = on
max_wal_size = 1GB
min_wal_size = 80MB
checkpoint_timeout = 10min

# A dead client is noticed by the kernel on a socket; a forgotten transaction must not hold back cleaning for ever.
idle_in_transaction_session_timeout = 60s

log_destination = stderr
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
log_lock_waits = on
log_min_duration_statement = 2s
# Parameters can hold secrets.
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_timezone = 'UTC'
timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
default_text_search_config = 'pg_catalog.simple'

include_if_exists = 'local.conf'
",
        socket = socket.display(),
    )
}

fn write_file(path: &Path, text: &str) -> Result<(), ClusterError> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path).doing("write", path)?;
    file.write_all(text.as_bytes()).doing("write", path)
}
