//! Signing in, and linking, through other people's identity providers: the two addresses that a browser comes to.
//!
//! `GET /sign-in/PROVIDER` sends it to the provider, `GET /sign-in/PROVIDER/callback` is where it comes back to. In between the attempt is a row
//! in the database, so that any replica can go on with it. It is bound to the browser by a cookie: nobody can make somebody else's browser end
//! what they began. Whatever goes wrong ends on the first page with a reason code; the cause is in the log.

mod browser;
mod return_path;

use crate::clock;
use crate::digest::sha256;
use crate::grpc::account::{SESSION_LIFETIME, SessionCookie, SignUpPolicy};
use crate::grpc::auth::Source;
use crate::identity_providers::{Attempt, Callback, ExternalIdentity, IdentityProviders, ProviderError, state_hash};
use crate::limiter::Limiter;
use crate::listen::source::limited_as;
use crate::rights::Rights;
use crate::web;
use axum::body::Body;
use browser::BrowserCookie;
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use kaliun_store::{
    AccountScope, Arrived, Arriving, AttemptPurpose, AttemptRow, NewAttempt, NewSession, StoreError, SystemStore,
};
use kaliun_types::id::SessionId;
use kaliun_types::reason::ReasonCode;
use kaliun_types::secret::SecretText;
use openidconnect::url::form_urlencoded;
pub(crate) use return_path::ReturnPath;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long somebody may stay at the provider: a second factor that has to be found first.
const ATTEMPT_LIFETIME: Duration = Duration::from_secs(600);
/// Steps of one source: an office that comes in at nine, two for each person, and then one each second.
const STEPS_BURST: u32 = 60;
const STEPS_INTERVAL: Duration = Duration::from_secs(1);
/// Longest text of what a browser says of itself that is kept, characters.
const CLIENT_MAX_CHARS: usize = 200;
/// Longest name of a person, characters.
const NAME_MAX_CHARS: usize = 80;

/// Sends people to providers and takes them back.
pub(crate) struct ProviderSignIn {
    providers: IdentityProviders,
    store: SystemStore,
    rights: Rights,
    session_cookie: SessionCookie,
    browser_cookie: BrowserCookie,
    /// Of our own pages; the first is that of the configuration.
    origins: Vec<String>,
    sign_up: SignUpPolicy,
    steps: Limiter<IpAddr>,
}

/// What it is made of.
pub(crate) struct SignInParts {
    pub(crate) providers: IdentityProviders,
    pub(crate) store: SystemStore,
    pub(crate) rights: Rights,
    pub(crate) session_cookie: SessionCookie,
    pub(crate) secure: bool,
    pub(crate) origins: Vec<String>,
    pub(crate) sign_up: SignUpPolicy,
}

/// Where a browser goes, and the cookies that it takes along.
struct Answer {
    location: String,
    cookies: Vec<String>,
}

/// An attempt that was begun.
pub(crate) struct BegunHere {
    /// An address of the provider's.
    pub(crate) redirect_to: String,
    /// The line that sets the cookie.
    pub(crate) cookie: String,
}

impl ProviderSignIn {
    pub(crate) fn new(parts: SignInParts) -> Self {
        let SignInParts { providers, store, rights, session_cookie, secure, origins, sign_up } = parts;
        Self {
            providers,
            store,
            rights,
            session_cookie,
            browser_cookie: BrowserCookie::new(secure),
            origins,
            sign_up,
            steps: Limiter::new(STEPS_BURST, STEPS_INTERVAL),
        }
    }

    /// The providers there are.
    pub(crate) fn providers(&self) -> &IdentityProviders {
        &self.providers
    }

    /// Answers a request for one of the two addresses; none for any other.
    pub(crate) async fn serve(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        source: Option<Source>,
        secure: bool,
    ) -> Option<Response<Body>> {
        let rest = uri.path().strip_prefix("/sign-in/").filter(|rest| !rest.is_empty())?;
        let mut response = if method == Method::GET {
            let query = uri.query().unwrap_or_default();
            let answer = match rest.split_once('/') {
                None => self.leave(rest, query, headers, source).await,
                Some((provider, "callback")) => self.come_back(provider, query, headers, source).await,
                Some(_) => return None,
            };
            let provider = rest.split('/').next().unwrap_or_default();
            redirect(answer.unwrap_or_else(|reason| self.refused(provider, reason)))
        } else {
            let mut refused = Response::new(Body::from("only GET here\n"));
            *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
            refused
        };
        web::protect(response.headers_mut(), secure);
        Some(response)
    }

    /// Sends somebody to the provider who wants to sign in.
    async fn leave(
        &self,
        provider: &str,
        query: &str,
        headers: &HeaderMap,
        source: Option<Source>,
    ) -> Result<Answer, ReasonCode> {
        self.may_step(source)?;
        let wanted = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "return");
        let return_path = wanted.and_then(|(_, path)| ReturnPath::parse(&path)).unwrap_or_default();
        let begun = self.begin(provider, headers, &return_path, None).await?;
        Ok(Answer { location: begun.redirect_to, cookies: vec![begun.cookie] })
    }

    /// Begins for somebody who is signed in and wants to link an identity. Whether it is them was found out before.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn begin_link(
        &self,
        provider: &str,
        headers: &HeaderMap,
        source: Option<Source>,
        return_path: &ReturnPath,
        scope: &AccountScope,
    ) -> Result<BegunHere, ReasonCode> {
        self.may_step(source)?;
        self.begin(provider, headers, return_path, Some(scope.session())).await
    }

    async fn begin(
        &self,
        provider: &str,
        headers: &HeaderMap,
        return_path: &ReturnPath,
        session: Option<SessionId>,
    ) -> Result<BegunHere, ReasonCode> {
        let redirect_uri = format!("{}/sign-in/{provider}/callback", self.origin(headers));
        let begun = self.providers.begin(provider, &redirect_uri).await.ok_or(ReasonCode::SignInProviderUnknown)?;
        let begun = begun.map_err(|error| told(provider, &error))?;
        // The same for all attempts of one browser: several tabs may be under way.
        let browser = self.browser_cookie.of(headers).unwrap_or_else(BrowserCookie::secret);
        let attempt = begun.attempt();
        let new = NewAttempt {
            state_hash: &attempt.state_hash,
            browser_hash: &sha256(browser.expose().as_bytes()),
            provider,
            redirect_uri: &redirect_uri,
            nonce: begun.nonce.expose(),
            pkce_verifier: begun.pkce_verifier.expose(),
            return_path: return_path.as_str(),
            session,
            expires_at: clock::now() + ATTEMPT_LIFETIME,
        };
        self.store.sign_in_attempt_insert(&new).await.map_err(|error| failed(&error))?;
        let cookie = self.browser_cookie.line(&browser, ATTEMPT_LIFETIME);
        Ok(BegunHere { redirect_to: begun.redirect_to, cookie })
    }

    /// Takes somebody back from the provider.
    async fn come_back(
        &self,
        provider: &str,
        query: &str,
        headers: &HeaderMap,
        source: Option<Source>,
    ) -> Result<Answer, ReasonCode> {
        self.may_step(source)?;
        if !self.providers.has(provider) {
            return Err(ReasonCode::SignInProviderUnknown);
        }
        let callback = Callback::of_query(query).ok_or(ReasonCode::SignInAnswerInvalid)?;
        let browser = self.browser_cookie.of(headers).ok_or(ReasonCode::SignInAttemptOver)?;
        let state_hash = callback.state.as_ref().map(|state| state_hash(state.expose()));
        let state_hash = state_hash.ok_or(ReasonCode::SignInAttemptOver)?;
        let browser_hash = sha256(browser.expose().as_bytes());
        let taken = self.store.sign_in_attempt_take(&state_hash, &browser_hash, provider).await;
        let row = taken.map_err(|error| failed(&error))?.ok_or(ReasonCode::SignInAttemptOver)?;
        let AttemptRow { redirect_uri, nonce, pkce_verifier, return_path, purpose } = row;
        let attempt =
            Attempt { state_hash, nonce: SecretText::new(nonce), pkce_verifier: SecretText::new(pkce_verifier) };
        let finished = self.providers.finish(provider, &redirect_uri, &attempt, &callback).await;
        let identity = finished.ok_or(ReasonCode::SignInProviderUnknown)?.map_err(|error| told(provider, &error))?;
        match purpose {
            AttemptPurpose::SignIn => self.sign_in(&identity, headers, source, return_path).await,
            AttemptPurpose::Link(scope) => self.link(&identity, &scope, source, return_path).await,
        }
    }

    async fn sign_in(
        &self,
        identity: &ExternalIdentity,
        headers: &HeaderMap,
        source: Option<Source>,
        return_path: String,
    ) -> Result<Answer, ReasonCode> {
        let secret = SessionCookie::secret();
        let source = source.map(|Source(address)| address);
        let session = NewSession {
            client: &client_of(headers),
            source_address: &source.map(|address| address.to_string()).unwrap_or_default(),
            secret_hash: &sha256(secret.as_bytes()),
            expires_at: clock::now() + SESSION_LIFETIME,
        };
        let everybody_may = match self.sign_up {
            SignUpPolicy::Open => true,
            SignUpPolicy::Invited => false,
        };
        let (claims, name, request_id) = (identity.claim_pairs(), name_of(identity), request_id());
        let arriving = arriving(identity, &claims, &name, source, &request_id);
        let arrived = self.store.external_sign_in(&arriving, everybody_may, &session).await;
        match arrived.map_err(|error| failed(&error))? {
            Arrived::Refused(reason) => Err(reason),
            Arrived::SignedIn { account, rights_changed } => {
                if rights_changed {
                    self.rights.changed(account).await;
                }
                let cookies = vec![self.session_cookie.line(&secret, SESSION_LIFETIME), self.browser_cookie.cleared()];
                Ok(Answer { location: return_path, cookies })
            }
        }
    }

    async fn link(
        &self,
        identity: &ExternalIdentity,
        scope: &AccountScope,
        source: Option<Source>,
        return_path: String,
    ) -> Result<Answer, ReasonCode> {
        let (claims, name, request_id) = (identity.claim_pairs(), name_of(identity), request_id());
        let arriving = arriving(identity, &claims, &name, source.map(|Source(address)| address), &request_id);
        match self.store.identity_link(scope, &arriving).await.map_err(|error| failed(&error))? {
            ReasonCode::SignInLinked => {
                Ok(Answer { location: return_path, cookies: vec![self.browser_cookie.cleared()] })
            }
            reason => Err(reason),
        }
    }

    /// The first page, with a reason.
    fn refused(&self, provider: &str, reason: ReasonCode) -> Answer {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("error", reason.code());
        if self.providers.has(provider) {
            query.append_pair("provider", provider);
        }
        Answer { location: format!("/?{}", query.finish()), cookies: Vec::new() }
    }

    /// Which of our origins the browser is on; where that is not known, that of the configuration.
    fn origin(&self, headers: &HeaderMap) -> &str {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let is_there = |origin: &&String| origin.split_once("://").is_some_and(|(_, authority)| authority == host);
        self.origins.iter().find(is_there).or(self.origins.first()).map_or("", String::as_str)
    }

    fn may_step(&self, source: Option<Source>) -> Result<(), ReasonCode> {
        let Some(Source(source)) = source else { return Ok(()) };
        self.steps.take(&limited_as(source), Instant::now()).map_err(|_wait| ReasonCode::SignInBusy)
    }
}

fn redirect(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    // Addresses of ours and of the url crate are ASCII.
    if let Ok(location) = HeaderValue::from_str(&answer.location) {
        headers.insert(header::LOCATION, location);
    }
    for cookie in answer.cookies {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn arriving<'a>(
    identity: &'a ExternalIdentity,
    claims: &'a kaliun_domain::joining::Claims,
    name: &'a str,
    source: Option<IpAddr>,
    request_id: &'a str,
) -> Arriving<'a> {
    Arriving {
        provider: &identity.provider,
        subject: &identity.subject,
        email: identity.email.as_deref(),
        email_confirmed: identity.email_confirmed,
        name,
        claims,
        source,
        request_id,
    }
}

/// What somebody is called: by the provider, or else as their address begins.
fn name_of(identity: &ExternalIdentity) -> String {
    let address = identity.email.as_deref().and_then(|email| email.split('@').next());
    let name = identity.name.as_deref().or(address).unwrap_or("somebody");
    name.trim().chars().take(NAME_MAX_CHARS).collect()
}

fn client_of(headers: &HeaderMap) -> String {
    let said = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.chars().filter(|character| !character.is_control()).take(CLIENT_MAX_CHARS).collect()
}

fn request_id() -> String {
    HEXLOWER.encode(&crate::digest::random::<8>())
}

/// Logs why a provider could not sign somebody in, once; the person is told the reason.
fn told(provider: &str, error: &ProviderError) -> ReasonCode {
    let reason = error.reason();
    let cause = error as &dyn std::error::Error;
    if matches!(reason, ReasonCode::SignInDenied | ReasonCode::SignInAttemptOver) {
        tracing::debug!(provider, reason = reason.code(), error = cause, "sign-in through a provider came to nothing");
    } else {
        tracing::warn!(provider, reason = reason.code(), error = cause, "sign-in through a provider failed");
    }
    reason
}

fn failed(error: &StoreError) -> ReasonCode {
    tracing::error!(error = error as &dyn std::error::Error, "sign-in through a provider could not be stored");
    ReasonCode::SignInBusy
}
