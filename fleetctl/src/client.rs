//! Calls to the control plane, each signed, with a time limit and an answer that is data or a [`Failure`].

mod accounts;
pub(crate) mod audits;
mod authorities;
mod certificates;
mod channel;
mod claims;
mod consents;
pub(crate) mod devices;
mod enrollments;
mod history;
mod installations;
mod invitations;
mod lifecycle;
mod logins;
mod mails;
mod organizations;
pub(crate) mod pages;
mod posture;
mod renewal;
mod session;
mod sign_ups;
mod signed;
mod tokens;
pub(crate) mod watch;

use crate::Program;
use crate::cli::Global;
use crate::config;
use crate::failure::{Failure, Kind, from_status};
use crate::settings::{self, Credential, Place, Settings};
use devices::is_id;
use kaliun_proto::fleet::v1::Identity;
pub(crate) use renewal::renewed;
use signed::{Signature, SignedChannel};
use std::time::Duration;
use tonic::{Code, Request, Response, Status};

/// Largest answer taken, bytes. A page of 500 devices with 64 long labels each is about 4.5 MB, a person's export 16 MB at most.
const ANSWER_MAX_BYTES: usize = 17 * 1024 * 1024;

/// How much longer than we wait the server may work. tonic reports its own limits as a cancelled call, so ours comes first.
const SERVER_GRACE: Duration = Duration::from_secs(1);

/// The metadata that names the organization of a call. Refusals that are about it begin with its name.
const ORGANIZATION: &str = "kaliun-organization";

/// How the refusal of somebody begins who belongs to none.
const NO_ORGANIZATION: &str = "you belong to no organization";

/// What API tokens begin with. Whoever has one acts in its organization.
const API_TOKEN_PREFIX: &str = "kat1.";

/// A connection to one control plane.
pub(crate) struct Client {
    channel: SignedChannel,
    timeout: Duration,
    /// The organization that calls name because the context does: somebody may have left it since.
    chosen: Option<config::Organization>,
}

impl Client {
    /// Connects to the server that flags, environment or context name, to act in the organization that they name.
    pub(crate) async fn open(program: &mut Program, global: &Global) -> Result<Self, Failure> {
        let settings = signed_in(program, global)?;
        let client = Self::connect(program, &settings).await?;
        client.in_organization(&settings).await
    }

    /// Connects as [`Self::open`] does, for calls about the person, who may belong to no organization or have left the context's.
    pub(crate) async fn open_personal(program: &mut Program, global: &Global) -> Result<Self, Failure> {
        let settings = signed_in(program, global)?;
        Self::connect(program, &settings).await
    }

    /// Connects. Calls name no organization.
    pub(crate) async fn connect(program: &Program, settings: &Settings) -> Result<Self, Failure> {
        let signature = Signature::new(settings, program.clock)?;
        let channel = channel::connect(settings).await?;
        Ok(Self {
            channel: SignedChannel::new(channel, signature, settings.timeout),
            timeout: settings.timeout,
            chosen: None,
        })
    }

    /// Lets calls act where the settings say.
    async fn in_organization(self, settings: &Settings) -> Result<Self, Failure> {
        let has_api_token =
            matches!(&settings.credential, Credential::Token(token) if token.expose().starts_with(API_TOKEN_PREFIX));
        match &settings.organization {
            Place::Named(wanted) if has_api_token => {
                same_organization(&self.identity().await?, wanted)?;
                Ok(self)
            }
            Place::Named(wanted) if is_id(wanted) => Ok(self.acting_in(wanted)),
            Place::Named(wanted) => {
                let found = self.organization(wanted).await?;
                Ok(self.acting_in(&found.id))
            }
            Place::OfContext(chosen) if !has_api_token => {
                Ok(Self { chosen: Some(chosen.clone()), ..self.acting_in(&chosen.id) })
            }
            Place::OfContext(_) | Place::Default => Ok(self),
        }
    }

    /// Lets calls act in the organization of this id. A text that cannot be one names none, which the server refuses.
    pub(crate) fn acting_in(self, id: &str) -> Self {
        Self { channel: self.channel.acting_in(id), ..self }
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
        let status = match tokio::time::timeout(self.channel.patience(), send(request)).await {
            Ok(Ok(response)) => return Ok(response.into_inner()),
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded(format!("no answer within {:?}", self.timeout)),
        };
        Err(self.failure(doing, &status))
    }

    /// What a refusal means here.
    fn failure(&self, doing: &str, status: &Status) -> Failure {
        if status.code() == Code::FailedPrecondition && status.message().starts_with(NO_ORGANIZATION) {
            return from_status(doing, status).state_hint(
                "make one with `fleetctl org create NAME --use`, or accept an invitation with `fleetctl org invitation accept --use`",
            );
        }
        if status.code() != Code::PermissionDenied || !status.message().starts_with(ORGANIZATION) {
            return from_status(doing, status);
        }
        let message = match &self.chosen {
            Some(chosen) => {
                format!("you do not belong to the organization {:?} any more, which this context acts in", chosen.name)
            }
            None => "you do not belong to the organization that you named".to_owned(),
        };
        let hint = "see yours with `fleetctl org list`, and choose one with `fleetctl org use NAME`";
        Failure::new(Kind::Denied, message, hint)
    }
}

/// Whether an API token belongs to the organization that somebody means: to none other it gives a way.
pub(crate) fn same_organization(identity: &Identity, wanted: &str) -> Result<(), Failure> {
    if [&identity.organization_id, &identity.organization_name].into_iter().any(|own| own == wanted) {
        return Ok(());
    }
    let own = &identity.organization_name;
    Err(Failure::usage(
        format!("this API token belongs to the organization {own:?}, not to {wanted:?}"),
        "leave the organization out, or take a token of the other one",
    ))
}

/// The settings of somebody who is signed in.
fn signed_in(program: &mut Program, global: &Global) -> Result<Settings, Failure> {
    let settings = settings::require(program, global)?;
    if settings.credential == Credential::Nothing {
        return Err(Failure::new(
            Kind::Denied,
            format!("nobody is signed in to {}", settings.server),
            "run `fleetctl login`, or set FLEETCTL_TOKEN",
        ));
    }
    Ok(settings)
}

/// What the contract always sends and a broken server might not.
fn missing(what: &str) -> Failure {
    Failure::new(
        Kind::General,
        format!("the server's answer holds no {what}"),
        "compare the versions with `fleetctl version`",
    )
}
