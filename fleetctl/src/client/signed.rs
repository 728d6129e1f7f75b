//! The channel that every call goes through: it adds who calls and in which organization, and renews a session that has run out.
//!
//! It stands below the generated clients, so that no call needs to know of it. A call whose token is refused is sent once more with a new
//! one; its message is kept for that. All calls of fleetctl send one message.

use super::ORGANIZATION;
use super::renewal::{PATIENCE, Renewal};
use crate::failure::Failure;
use crate::settings::{Credential, Settings};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use kaliun_types::secret::SecretText;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::{Service, ServiceExt as _};

/// Where a refusal's code stands in an answer without a message.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// How calls are signed.
pub(super) enum Signature {
    /// Not at all.
    Nothing,
    /// By a token that stays as it is.
    Token(HeaderValue),
    /// By a session.
    Session(Box<Renewal>),
}

impl Signature {
    pub(super) fn new(settings: &Settings, clock: fn() -> i64) -> Result<Self, Failure> {
        match &settings.credential {
            Credential::Nothing => Ok(Self::Nothing),
            Credential::Token(token) => bearer(token).map(Self::Token),
            Credential::Session(stored) => Ok(Self::Session(Box::new(Renewal::new(stored, &settings.server, clock)))),
        }
    }
}

/// A channel whose calls say who calls.
#[derive(Clone)]
pub(super) struct SignedChannel {
    channel: Channel,
    signature: Arc<Signature>,
    organization: Option<HeaderValue>,
    timeout: Duration,
}

impl SignedChannel {
    pub(super) fn new(channel: Channel, signature: Signature, timeout: Duration) -> Self {
        Self { channel, signature: Arc::new(signature), organization: None, timeout }
    }

    /// The same, for another organization.
    pub(super) fn acting_in(self, id: &str) -> Self {
        // What no header can carry becomes an id that no organization has, for to name none would be to act in another one.
        let nobodys = HeaderValue::from_static("00000000-0000-0000-0000-000000000000");
        Self { organization: Some(HeaderValue::from_str(id).unwrap_or(nobodys)), ..self }
    }

    /// The longest that a call may take. One that waits for a renewal is not given up: what came of it would be lost, and the session with it.
    pub(super) fn patience(&self) -> Duration {
        match *self.signature {
            Signature::Nothing | Signature::Token(_) => self.timeout,
            Signature::Session(_) => self.timeout.saturating_mul(2).saturating_add(PATIENCE),
        }
    }

    /// Whether a token that was refused may be followed by one that is not.
    pub(super) fn is_renewable(&self) -> bool {
        matches!(*self.signature, Signature::Session(_))
    }

    fn mark(&self, headers: &mut HeaderMap, bearer: Option<HeaderValue>) {
        if let Some(bearer) = bearer {
            headers.insert(AUTHORIZATION, bearer);
        }
        if let Some(organization) = &self.organization {
            headers.insert(HeaderName::from_static(ORGANIZATION), organization.clone());
        }
    }

    async fn send(mut self, mut request: Request) -> Result<Response, Status> {
        let signature = self.signature.clone();
        let renewal = match &*signature {
            Signature::Session(renewal) => renewal,
            Signature::Nothing => {
                self.mark(request.headers_mut(), None);
                return transport(self.channel.call(request).await);
            }
            Signature::Token(bearer) => {
                self.mark(request.headers_mut(), Some(bearer.clone()));
                return transport(self.channel.call(request).await);
            }
        };
        let (mut parts, body) = request.into_parts();
        let message = body.collect().await?.to_bytes();
        let token = renewal.token(&self.channel).await?;
        self.mark(&mut parts.headers, Some(bearer(&token).map_err(|failure| failure.carried(Code::Unauthenticated))?));
        let again = parts.clone();
        let response = self.attempt(Request::from_parts(parts, Body::new(Full::new(message.clone())))).await?;
        if !is_unauthenticated(&response) {
            return Ok(response);
        }
        let token = renewal.token_after(&self.channel, &token).await?;
        let mut parts = again;
        self.mark(&mut parts.headers, Some(bearer(&token).map_err(|failure| failure.carried(Code::Unauthenticated))?));
        self.attempt(Request::from_parts(parts, Body::new(Full::new(message)))).await
    }

    /// Each attempt has the whole time that a person allows for an answer.
    async fn attempt(&mut self, request: Request) -> Result<Response, Status> {
        transport(self.channel.ready().await.map(drop))?;
        match tokio::time::timeout(self.timeout, self.channel.call(request)).await {
            Ok(answer) => transport(answer),
            Err(_) => Err(Status::deadline_exceeded(format!("no answer within {:?}", self.timeout))),
        }
    }
}

impl Service<Request> for SignedChannel {
    type Response = Response;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.channel.poll_ready(cx).map(transport)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that is ready goes; its copy has to become ready first.
        let copy = self.clone();
        Box::pin(std::mem::replace(self, copy).send(request))
    }
}

fn transport<T>(answer: Result<T, tonic::transport::Error>) -> Result<T, Status> {
    answer.map_err(|error| Status::from_error(Box::new(error)))
}

fn is_unauthenticated(response: &Response) -> bool {
    response.headers().get(STATUS).is_some_and(|status| Code::from_bytes(status.as_bytes()) == Code::Unauthenticated)
}

fn bearer(token: &SecretText) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        Failure::usage("the token holds characters that no token has", "copy the token again, whole and alone")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
