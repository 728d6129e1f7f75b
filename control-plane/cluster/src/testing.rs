//! Throw-away clusters for tests.
//!
//! Each test process has one cluster, shared by its tests, and each test a database of its own in it. The cluster is a
//! copy of an initialised template that is made once per machine. It never outlives its process, however that ends: a
//! small watcher holds the other end of a pipe and, when the pipe closes, ends Postgres and removes the folder.

use crate::account::Account;
use crate::cluster::{ADMIN, connection, ensure_database};
use crate::error::{ClusterError, IoContext};
use crate::home::{make_folder, make_safe_folder};
use crate::process::{is_ready, read_postmaster_pid};
use crate::programs::Programs;
use crate::settings::Durability;
use crate::{initdb, settings};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_postgres::Config;

/// How long a test's Postgres may take to start, on a machine that is busy compiling.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Raised when the way the template is made changes, so that an older one is not used.
const TEMPLATE_FORMAT: u32 = 1;

/// Waits for its standard input to close, then ends Postgres at once and removes its folder. `$1` is the folder, what
/// follows is the command that runs Postgres. It stays in a group of its own, so that Ctrl-C does not end it early.
const WATCHER: &str = r#"
folder=$1
shift
"$@" </dev/null >"$folder/postgres.log" 2>&1 &
postgres=$!
read -r _
kill -QUIT $postgres 2>/dev/null
wait $postgres
rm -rf "$folder"
"#;

static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
static DATABASES: AtomicU64 = AtomicU64::new(0);

/// A cluster whose data is worth nothing.
#[derive(Debug)]
pub struct TestCluster {
    socket: PathBuf,
    // Its end of the pipe closes when this process ends.
    _watcher: Child,
}

/// A database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    socket: PathBuf,
    name: String,
}

impl TestDatabase {
    /// Makes an empty database in the cluster of this process, starting that when it is the first.
    ///
    /// # Errors
    /// Postgres is not installed or does not start: a test fails then, it is not skipped.
    pub async fn create() -> Result<Self, ClusterError> {
        let cluster = CLUSTER.get_or_try_init(TestCluster::start).await?;
        cluster.database().await
    }

    /// How to connect as a user; [`ADMIN`] is the superuser.
    #[must_use]
    pub fn config(&self, user: &str) -> Config {
        connection(&self.socket, &self.name, user)
    }

    /// How to connect as the superuser.
    #[must_use]
    pub fn admin_config(&self) -> Config {
        self.config(ADMIN)
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the unix socket.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.socket
    }
}

impl TestCluster {
    /// Starts a cluster that ends with this value or with this process.
    ///
    /// # Errors
    /// Postgres is not installed or does not start.
    pub async fn start() -> Result<Self, ClusterError> {
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let (folder, mut command) = prepared.map_err(|_| ClusterError::Stopped)??;
        let watcher = command.spawn().doing("run", Path::new("sh"))?;
        let cluster = Self { socket: folder.join("socket"), _watcher: watcher };
        let data = folder.join("data");
        let deadline = Instant::now() + START_PATIENCE;
        while !read_postmaster_pid(&data)
            .and_then(|pid| u32::try_from(pid).ok())
            .is_some_and(|pid| is_ready(&data, pid))
        {
            if Instant::now() >= deadline {
                let log = std::fs::read_to_string(folder.join("postgres.log")).unwrap_or_default();
                return Err(ClusterError::NotStarted { status: "no answer".to_owned(), log });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(cluster)
    }

    /// Makes an empty database in this cluster.
    ///
    /// # Errors
    /// Postgres refuses.
    pub async fn database(&self) -> Result<TestDatabase, ClusterError> {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        ensure_database(&self.socket, &name).await?;
        Ok(TestDatabase { socket: self.socket.clone(), name })
    }
}

fn prepare() -> Result<(PathBuf, Command), ClusterError> {
    let account = Account::for_new_data()?;
    let programs = Programs::find(None)?;
    let place = place(&account)?;
    let template = make_template(&place, &programs, &account)?;
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let folder = place.join(format!("run-{}-{number}", std::process::id()));
    // Left by a process of the same number whose watcher was killed too.
    let _ = std::fs::remove_dir_all(&folder);
    make_folder(&folder, 0o711)?;
    copy_folder(&template, &folder.join("data"), &account)?;
    let socket = folder.join("socket");
    DirBuilder::new().mode(0o700).create(&socket).doing("make", &socket)?;
    account.give(&socket)?;
    settings::write(&folder, &socket, Durability::None)?;

    let mut postgres = Command::new(programs.path("postgres"));
    postgres.arg("-D").arg(folder.join("data"));
    for (setting, file) in
        [("config_file", "postgresql.conf"), ("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf")]
    {
        postgres.arg("-c").arg(format!("{setting}={}", folder.join(file).display()));
    }
    // The watcher runs as us, to remove the folder; Postgres below it becomes the other user through setpriv.
    let mut watcher = Command::new("sh");
    watcher.arg("-c").arg(WATCHER).arg("watcher").arg(&folder);
    if let Some((uid, gid)) = account.switched() {
        watcher.args(["setpriv", "--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--clear-groups"]);
    }
    watcher.arg(postgres.get_program()).args(postgres.get_args());
    watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).current_dir("/");
    Ok((folder, watcher))
}

/// The folder for everything of this user's tests: short, for sockets, and one that Postgres' user can pass.
fn place(account: &Account) -> Result<PathBuf, ClusterError> {
    let user = rustix::process::geteuid().as_raw();
    let temp = std::env::temp_dir();
    let short_enough = temp.as_os_str().len() < 40;
    let temp = if short_enough && account.reaches(&temp) { temp } else { PathBuf::from("/tmp") };
    let place = temp.join(format!("kaliun-test-{user}"));
    make_safe_folder(&place, 0o711, user)?;
    Ok(place)
}

/// Makes the template once; whoever comes meanwhile waits for it.
fn make_template(place: &Path, programs: &Programs, account: &Account) -> Result<PathBuf, ClusterError> {
    let template = place.join(format!("template-{TEMPLATE_FORMAT}-{}-{}", programs.major(), account.uid));
    let path = place.join("template.lock");
    let lock = File::options().create(true).append(true).open(&path).doing("open", &path)?;
    flock(&lock, FlockOperation::LockExclusive).doing("lock", &path)?;
    if initdb::data_major(&template)?.is_none() {
        initdb::make_data(programs, account, &template)?;
    }
    Ok(template)
}

/// Copies a data folder, which holds folders and plain files only.
fn copy_folder(from: &Path, to: &Path, account: &Account) -> Result<(), ClusterError> {
    DirBuilder::new().mode(0o700).create(to).doing("make", to)?;
    account.give(to)?;
    for entry in std::fs::read_dir(from).doing("read", from)? {
        let entry = entry.doing("read", from)?;
        let target = to.join(entry.file_name());
        if entry.file_type().doing("look at", &entry.path())?.is_dir() {
            copy_folder(&entry.path(), &target, account)?;
        } else {
            std::fs::copy(entry.path(), &target).doing("copy", &entry.path())?;
            account.give(&target)?;
        }
    }
    Ok(())
}
