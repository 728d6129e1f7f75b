//! A server inside the test's own process, and boxes whose agents are too: all of them go by clocks that the test moves on.

use anyhow::Context as _;
use kaliun_cluster::testing::TestDatabase;
use kaliun_control_plane::clock::Clock as ServerClock;
use kaliun_control_plane::config::{Config, Layer};
use kaliun_control_plane::server::Server;
use kaliun_e2e::folder::TestFolder;
use kaliun_e2e::wait::PATIENCE;
use kaliun_edge::agent_state::AgentState;
use kaliun_edge::clock::Clock as BoxClock;
use kaliun_edge::dialer::Dialer;
use kaliun_edge::identity::{FileKeyStore, KeyStore};
use kaliun_edge::journal::JournalLimits;
use kaliun_edge_sim::fleet::{FleetConfig, SimulatedBox};
use kaliun_proto::fleet::v1::CreateJoinTokenRequest;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;
use kaliun_types::secret::SecretText;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_postgres::NoTls;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

const TOKEN: &str = "kat1.a-token-for-tests-that-is-long-enough-to-be-one";

/// The server, its clock, and what boxes need.
pub(crate) struct Inside {
    server: Server,
    database: TestDatabase,
    clock: ServerClock,
    config: Config,
    boxes: FleetConfig,
    dialer: Arc<Dialer>,
    _folder: TestFolder,
}

/// A request with the admin's token.
pub(crate) fn with_token<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {TOKEN}").parse().expect("the token is ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

impl Inside {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let database = TestDatabase::create().await?;
        let folder = TestFolder::make()?;
        std::fs::write(folder.join("token"), TOKEN)?;
        let admin = database.admin_config();
        // All boxes are at one address: nothing is limited by it.
        let file = format!(
            "state_dir = \"{folder}/server\"\n\
             first_api_token_file = \"{folder}/token\"\n\
             device_listen = \"127.0.0.1:0\"\n\
             public_listen = \"127.0.0.1:0\"\n\
             internal_listen = \"127.0.0.1:0\"\n\
             device_sources_hidden = true\n\
             database_url = \"postgresql:///{name}?host={socket}&user={user}\"\n",
            folder = folder.path().display(),
            name = database.name(),
            socket = database.socket_folder().display(),
            user = admin.get_user().context("a user")?,
        );
        std::fs::write(folder.join("server.toml"), file)?;
        std::fs::create_dir(folder.join("server"))?;
        let mut config = Config::load(Layer::default(), Some(&folder.join("server.toml")))?;
        let (clock, box_clock) = (ServerClock::default(), BoxClock::default());
        let server = Server::start_by(&config, clock.clone()).await?;
        // When it starts again the boxes look for it where it was.
        config.device_listen = server.addresses().device;
        let boxes = FleetConfig {
            server: format!("https://localhost:{}", server.addresses().device.port()).parse()?,
            join_token: Some(join_token(&server).await?),
            trust_hash: None,
            state_dir: folder.join("boxes"),
            name_prefix: "box".to_owned(),
            devices: 0,
            // None of these tests is about what boxes measure.
            sample_interval: Some(Duration::from_secs(365 * 24 * 3600)),
            journal_limits: JournalLimits::default(),
            keys: Arc::new(FileKeyStore),
            clock: box_clock,
        };
        Ok(Self { server, database, clock, config, boxes, dialer: Dialer::new(), _folder: folder })
    }

    /// Starts another control plane on the same database, to which no box goes.
    pub(crate) async fn replica(&self) -> anyhow::Result<Server> {
        let device_listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config { replica_name: "other".to_owned(), device_listen, ..self.config.clone() };
        Ok(Server::start_by(&config, self.clock.clone()).await?)
    }

    /// The server's state folder.
    pub(crate) fn state_dir(&self) -> &Path {
        &self.config.state_dir
    }

    /// Moves the clocks of the server and of all boxes on.
    pub(crate) fn advance_days(&self, days: u64) {
        let by = Duration::from_secs(days * 24 * 3600);
        self.clock.advance(by);
        self.boxes.clock.advance(by);
    }

    /// Moves the server's clock on: those of the boxes stand, as without a battery.
    pub(crate) fn advance_days_of_the_server(&self, days: u64) {
        self.clock.advance(Duration::from_secs(days * 24 * 3600));
    }

    /// Now, by the server's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Starts a box, for the first time or once more.
    pub(crate) fn start_box(&self, number: usize) -> anyhow::Result<SimulatedBox> {
        Ok(SimulatedBox::start(&self.boxes, number, &self.dialer)?)
    }

    /// Boxes that are started from now on have their keys there.
    pub(crate) fn keep_keys_in(&mut self, keys: Arc<dyn KeyStore>) {
        self.boxes.keys = keys;
    }

    /// A channel to the public listener.
    pub(crate) async fn public(&self) -> anyhow::Result<Channel> {
        public(&self.server).await
    }

    /// Asks the database for one number, behind the server's back.
    pub(crate) async fn count(&self, query: &str) -> anyhow::Result<i64> {
        let (client, connection) = self.database.admin_config().connect(NoTls).await?;
        tokio::select! {
            row = client.query_one(query, &[]) => Ok(row?.get(0)),
            ended = connection => anyhow::bail!("the database went away: {ended:?}"),
        }
    }

    /// Stops the server, lets something be done meanwhile, and starts it again at the same address.
    pub(crate) async fn restart_after<T>(
        self,
        work: impl AsyncFnOnce(&TestDatabase, &Config) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Self, T)> {
        let Self { server, database, clock, config, boxes, dialer, _folder } = self;
        server.stop().await;
        let done = work(&database, &config).await?;
        let server = Server::start_by(&config, clock.clone()).await?;
        Ok((Self { server, database, clock, config, boxes, dialer, _folder }, done))
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

async fn public(server: &Server) -> anyhow::Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{}", server.addresses().public))?.connect().await?)
}

async fn join_token(server: &Server) -> anyhow::Result<SecretText> {
    let mut tokens = JoinTokenServiceClient::new(public(server).await?);
    let request = CreateJoinTokenRequest {
        description: "boxes".to_owned(),
        max_uses: 1_000,
        ..CreateJoinTokenRequest::default()
    };
    let created = tokens.create_join_token(with_token(request)).await?.into_inner();
    Ok(SecretText::new(created.secret))
}

/// Waits until a box is in a state.
pub(crate) async fn reached(
    simulated: &SimulatedBox,
    what: &str,
    is_reached: impl Fn(&AgentState) -> bool,
) -> anyhow::Result<AgentState> {
    let waiting = tokio::time::timeout(PATIENCE, simulated.wait_for(is_reached)).await;
    waiting.with_context(|| format!("{} is not {what}: {:?}", simulated.name(), simulated.state().borrow()))
}

/// Waits until a box has its link.
pub(crate) async fn online(simulated: &SimulatedBox) -> anyhow::Result<AgentState> {
    reached(simulated, "online", |state| state.online_epoch().is_some()).await
}
