//! Calls to the control plane, each with the token, a time limit and an answer that is data or a [`Failure`].

pub(crate) mod audits;
mod authorities;
mod certificates;
mod channel;
mod claims;
pub(crate) mod devices;
mod enrollments;
mod history;
mod lifecycle;
mod mails;
pub(crate) mod pages;
mod posture;
mod session;
mod tokens;
pub(crate) mod watch;

use crate::Program;
use crate::cli::Global;
use crate::failure::{Failure, Kind, from_status};
use crate::settings::{self, Settings};
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Largest answer taken, bytes. A page of 500 devices with 64 long labels each is about 4.5 MB.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// How much longer than we wait the server may work. tonic reports its own limits as a cancelled call, so ours comes first.
const SERVER_GRACE: Duration = Duration::from_secs(1);

/// A channel whose calls carry the token.
type SignedChannel = InterceptedService<Channel, Bearer>;

/// A connection to one control plane.
pub(crate) struct Client {
    channel: SignedChannel,
    timeout: Duration,
}

impl Client {
    /// Connects to the server that flags, environment or context name.
    pub(crate) async fn open(program: &mut Program, global: &Global) -> Result<Self, Failure> {
        let settings = settings::require(program, global)?;
        if settings.token.is_none() {
            return Err(Failure::new(
                Kind::Denied,
                format!("there is no token for {}", settings.server),
                "run `fleetctl login --server URL --token-stdin`, or set FLEETCTL_TOKEN",
            ));
        }
        Self::connect(&settings).await
    }

    /// Connects.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, Failure> {
        let bearer = Bearer::new(settings)?;
        let channel = channel::connect(settings).await?;
        Ok(Self { channel: InterceptedService::new(channel, bearer), timeout: settings.timeout })
    }

    fn channel(&self) -> SignedChannel {
        self.channel.clone()
    }

    /// Waits for one answer. `doing` completes "cannot …".
    async fn call<T, M, F>(&self, doing: &str, message: M, send: impl FnOnce(Request<M>) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout + SERVER_GRACE);
        match tokio::time::timeout(self.timeout, send(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(from_status(doing, &status)),
            Err(_) => {
                let late = Status::deadline_exceeded(format!("no answer within {:?}", self.timeout));
                Err(from_status(doing, &late))
            }
        }
    }
}

/// Adds the token to each call.
#[derive(Clone)]
struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let Some(token) = &settings.token else { return Ok(Self(None)) };
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose()).parse().map_err(|_| {
            Failure::usage("the token holds characters that no token has", "copy the token again, whole and alone")
        })?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// What the contract always sends and a broken server might not.
fn missing(what: &str) -> Failure {
    Failure::new(
        Kind::General,
        format!("the server's answer holds no {what}"),
        "compare the versions with `fleetctl version`",
    )
}
