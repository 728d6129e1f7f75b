//! A whole fleet of real programs.

use crate::browser::Browser;
use crate::database;
use crate::folder::TestFolder;
use crate::http;
use crate::mails::Mails;
use crate::process::Running;
use crate::programs::built;
use crate::wait::{PATIENCE, until};
use anyhow::{Context as _, ensure};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use std::ffi::OsString;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;
use tokio::process::Command;

/// Who the first administrator is.
pub const ADMIN_EMAIL: &str = "admin@fleet.localhost";

/// How long the control plane may take to its first readiness on a machine that is busy.
const READY_PATIENCE: Duration = Duration::from_secs(120);

/// What a fleet of a test is like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Simulated boxes; none are started when 0.
    pub simulated: u32,
    /// Milliseconds between two samples of a box; at least 1,000.
    pub sample_interval_ms: u32,
}

/// A fleet. Dropping it stops every part.
#[derive(Debug)]
pub struct Fleet {
    // Parts stop in this order, and the folder goes last.
    /// This machine as a box, once [`Self::start_edge`] was called.
    pub edge: Option<Running>,
    /// The simulated boxes.
    pub sim: Option<Running>,
    /// The control plane.
    pub control_plane: Running,
    public: SocketAddr,
    device: SocketAddr,
    internal: SocketAddr,
    api_token: String,
    admin_password: String,
    mails: Option<Mails>,
    folder: TestFolder,
}

impl Fleet {
    /// Starts the control plane and the simulated boxes, and waits until all of them are online.
    ///
    /// # Errors
    /// A part does not start.
    pub async fn start(shape: Shape) -> anyhow::Result<Self> {
        Self::launch(shape, TestFolder::make()?, None).await
    }

    /// Starts one that sends mails, which the test reads.
    ///
    /// # Errors
    /// A part does not start.
    pub async fn start_with_mails(shape: Shape) -> anyhow::Result<Self> {
        let folder = TestFolder::make()?;
        let mails = Mails::start(&folder).await?;
        Self::launch(shape, folder, Some(mails)).await
    }

    async fn launch(shape: Shape, folder: TestFolder, mails: Option<Mails>) -> anyhow::Result<Self> {
        let [public, device, internal] = free_addresses()?;
        let api_token = format!("kat1.{}", random_text()?);
        let admin_password = random_text()?;
        std::fs::write(folder.join("password"), &admin_password).context("cannot write the password")?;
        std::fs::write(folder.join("api-token"), &api_token).context("cannot write the token")?;
        let mut arguments: Vec<OsString> = vec!["serve".into()];
        let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        option("--state-dir", folder.join("control-plane").into());
        option("--device-listen", device.to_string().into());
        option("--device-url", format!("https://{device}").into());
        option("--public-listen", public.to_string().into());
        option("--public-url", format!("http://{public}").into());
        option("--internal-listen", internal.to_string().into());
        option("--first-admin-email", ADMIN_EMAIL.into());
        option("--first-admin-password-file", folder.join("password").into());
        option("--first-api-token-file", folder.join("api-token").into());
        option("--sample-interval-ms", shape.sample_interval_ms.to_string().into());
        if let Some(mails) = &mails {
            option("--smtp-url", mails.url().into());
            option("--mail-from", "Fleet <fleet@fleet.localhost>".into());
        }
        let log = folder.join("control-plane.log");
        let control_plane = Running::start(built("control-plane")?, arguments, Vec::new(), log)?;
        let mut fleet = Self {
            edge: None,
            sim: None,
            control_plane,
            public,
            device,
            internal,
            api_token,
            admin_password,
            mails,
            folder,
        };
        fleet.ready().await?;
        fleet.make_join_token().await?;
        if shape.simulated > 0 {
            let arguments = vec!["--devices".into(), shape.simulated.to_string().into()];
            fleet.sim = Some(fleet.start_agent("kaliun-edge-sim", "sim", arguments)?);
            fleet.online(usize::try_from(shape.simulated)?).await?;
        }
        Ok(fleet)
    }

    /// Starts this machine as a box beside the simulated ones.
    ///
    /// # Errors
    /// The agent does not start.
    pub fn start_edge(&mut self) -> anyhow::Result<()> {
        self.edge = Some(self.start_agent("kaliun-edge", "edge", vec!["run".into()])?);
        Ok(())
    }

    /// Waits until the control plane says that it is ready.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let internal = self.internal;
        let ready = until("the control plane is ready", READY_PATIENCE, move || async move {
            Ok((http::get(internal, "/readyz").await?.status == 200).then_some(()))
        });
        ready.await.with_context(|| format!("the end of its log:\n{}", self.control_plane.log_tail()))
    }

    /// Waits until this many boxes are online, and returns all boxes as fleetctl prints them.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn online(&self, wanted: usize) -> anyhow::Result<Vec<Value>> {
        let online = until("the boxes are online", PATIENCE, || async {
            let devices = self.devices().await?;
            let is_online = |device: &&Value| device.pointer("/link/state").and_then(Value::as_str) == Some("online");
            let count = devices.iter().filter(is_online).count();
            ensure!(count == wanted, "{count} of {wanted} are online");
            Ok(Some(devices))
        });
        online.await.with_context(|| {
            let boxes = self.sim.as_ref().or(self.edge.as_ref()).map(Running::log_tail).unwrap_or_default();
            format!("control plane:\n{}\nboxes:\n{boxes}", self.control_plane.log_tail())
        })
    }

    /// All boxes, as `fleetctl get devices -o json` prints them.
    ///
    /// # Errors
    /// fleetctl fails.
    pub async fn devices(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.fleetctl(&["get", "devices", "-o", "json"]).await?;
        list.get("items").and_then(Value::as_array).cloned().context("the list has no items")
    }

    /// Runs fleetctl as an administrator and reads the JSON it prints.
    ///
    /// # Errors
    /// It fails or prints no JSON.
    pub async fn fleetctl(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.fleetctl_output(arguments).await?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "fleetctl {arguments:?} failed ({}): {}", output.status, error.trim());
        serde_json::from_slice(&output.stdout).context("fleetctl printed no JSON")
    }

    /// Runs fleetctl as an administrator, and answers however it ends.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn fleetctl_output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        Command::new(built("fleetctl")?)
            .args(arguments)
            .env("FLEETCTL_SERVER", self.public_url())
            .env("FLEETCTL_TOKEN", &self.api_token)
            .env("FLEETCTL_CONFIG", self.folder.join("fleetctl.toml"))
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start fleetctl")
    }

    /// The dashboard's address.
    #[must_use]
    pub fn public_url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// Where the dashboard listens.
    #[must_use]
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// The first administrator's password.
    #[must_use]
    pub fn admin_password(&self) -> &str {
        &self.admin_password
    }

    /// The mails that were sent.
    ///
    /// # Errors
    /// The fleet was started without.
    pub fn mails(&self) -> anyhow::Result<&Mails> {
        self.mails.as_ref().context("this fleet sends no mails")
    }

    /// The folder with the state of every part.
    #[must_use]
    pub fn folder(&self) -> &TestFolder {
        &self.folder
    }

    /// The state folder of the control plane, with its private database.
    #[must_use]
    pub fn control_plane_state(&self) -> PathBuf {
        self.folder.join("control-plane")
    }

    /// Signs a browser in on the page it shows, and waits for the list of boxes.
    ///
    /// # Errors
    /// The form or the list does not appear.
    pub async fn sign_in(&self, browser: &Browser) -> anyhow::Result<()> {
        browser.open(&self.public_url()).await?;
        self.fill_sign_in(browser, &self.admin_password).await?;
        browser.find("li.row[data-device]", PATIENCE).await.map(|_| ())
    }

    /// Fills the sign-in form that a browser shows, and sends it.
    ///
    /// # Errors
    /// The form does not appear.
    pub async fn fill_sign_in(&self, browser: &Browser, password: &str) -> anyhow::Result<()> {
        fill_sign_in(browser, ADMIN_EMAIL, password).await
    }

    /// Starts an agent that is not part of the fleet's own: without a join token it shows a code to be claimed by.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_unclaimed(&self, name: &str) -> anyhow::Result<Running> {
        let join_token = std::fs::read_to_string(self.folder.join("join-token")).context("there is no join token")?;
        let (_, trust_hash) = join_token.trim().rsplit_once('.').context("the join token has no hash")?;
        let mut arguments: Vec<OsString> = vec!["run".into(), "--state-dir".into(), self.folder.join(name).into()];
        arguments.extend(["--server".into(), format!("https://{}", self.device).into()]);
        arguments.extend(["--trust-hash".into(), trust_hash.into()]);
        std::fs::write(self.screen(name), "").context("cannot make the box's screen")?;
        arguments.extend(["--console".into(), self.screen(name).into()]);
        Running::start(built("kaliun-edge")?, arguments, Vec::new(), self.log(name))
    }

    /// Starts an agent that is not part of the fleet's own, with a join token of its own.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_with_token(&self, name: &str, join_token: &str) -> anyhow::Result<Running> {
        let file = self.folder.join(&format!("{name}.join-token"));
        std::fs::write(&file, join_token).context("cannot write the join token")?;
        let mut arguments: Vec<OsString> = vec!["run".into(), "--state-dir".into(), self.folder.join(name).into()];
        arguments.extend(["--server".into(), format!("https://{}", self.device).into()]);
        arguments.extend(["--join-token-file".into(), file.into()]);
        Running::start(built("kaliun-edge")?, arguments, Vec::new(), self.log(name))
    }

    /// What the screen of an unclaimed box shows.
    #[must_use]
    pub fn screen(&self, name: &str) -> PathBuf {
        self.folder.join(&format!("{name}.screen"))
    }

    /// The log of a part.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join(&format!("{name}.log"))
    }

    fn start_agent(&self, program: &str, name: &str, mut arguments: Vec<OsString>) -> anyhow::Result<Running> {
        arguments.extend(["--state-dir".into(), self.folder.join(name).into()]);
        arguments.extend(["--server".into(), format!("https://{}", self.device).into()]);
        arguments.extend(["--join-token-file".into(), self.folder.join("join-token").into()]);
        Running::start(built(program)?, arguments, Vec::new(), self.log(name))
    }

    async fn make_join_token(&self) -> anyhow::Result<()> {
        let made = self.fleetctl(&["join-token", "create", "--uses", "1000", "-o", "json"]).await?;
        let secret = made.get("secret").and_then(Value::as_str).context("fleetctl printed no token")?;
        std::fs::write(self.folder.join("join-token"), secret).context("cannot write the join token")
    }
}

impl Drop for Fleet {
    /// Stops every part, boxes first, and removes a database that could not be inside the folder.
    fn drop(&mut self) {
        self.edge = None;
        self.sim = None;
        let home = database::home(&self.control_plane_state());
        let stopped = self.control_plane.stop();
        if stopped.is_ok() && !home.starts_with(self.folder.path()) && !self.folder.is_kept() {
            let _ = std::fs::remove_dir_all(home);
        }
    }
}

/// Fills the sign-in form that a browser shows, and sends it.
///
/// # Errors
/// The form does not appear.
pub async fn fill_sign_in(browser: &Browser, email: &str, password: &str) -> anyhow::Result<()> {
    browser.find("#email", PATIENCE).await?.fill(email).await?;
    browser.find("#password", PATIENCE).await?.fill(password).await?;
    browser.find("button[type=submit]", PATIENCE).await?.click().await
}

/// Three addresses on loopback that were free a moment ago.
///
/// # Errors
/// There are none.
pub fn free_addresses() -> anyhow::Result<[SocketAddr; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port");
    // All are held until the last is found, so that they differ.
    let listeners = [bind()?, bind()?, bind()?];
    let [first, second, third] = listeners.each_ref().map(TcpListener::local_addr);
    Ok([first?, second?, third?])
}

fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("no randomness")?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}
