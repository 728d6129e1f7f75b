//! Signing in on a machine without a browser: OAuth 2.0 Device Authorization Grant (RFC 8628), with refresh tokens that are used once (RFC 9700,
//! section 4.14).

use super::auth::{ACCESS_TOKEN_PREFIX, FromOurPages, REFRESH_TOKEN_PREFIX, Somebody, Source};
use super::status;
use crate::clock;
use crate::digest::{random, sha256};
use crate::grpc::account::fields;
use crate::limiter::Limiter;
use crate::listen::source::limited_as;
use crate::rights::Rights;
use data_encoding::BASE64URL_NOPAD;
use kaliun_domain::user_code::UserCode;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::login_service_server::LoginService;
use kaliun_store::{LOGIN_LIFETIME, LoginPolled, NewLogin, NewTokens, Refreshed, StoreError, SystemStore};
use kaliun_types::id::AccountId;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};
use tonic::{Request, Response, Status};

/// How long an access token is good.
const ACCESS_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a session lasts that is not used: an operator's holiday.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a machine waits between two questions, seconds.
const INTERVAL_SECONDS: u32 = 5;
/// Longest text of what a machine says of itself, characters.
const CLIENT_MAX_CHARS: usize = 200;
/// Codes that are tried for one that is free. There are 25 thousand million, and ten thousand in use.
const CODE_TRIES: u32 = 5;

/// Logins that one source may begin: an office's worth at once.
const BEGIN_BURST: u32 = 20;
const BEGIN_INTERVAL: Duration = Duration::from_secs(10);
/// Questions of one source, about machines that wait and with tokens: an office's worth of machines, each asking all five seconds.
const ASK_BURST: u32 = 200;
const ASK_INTERVAL: Duration = Duration::from_millis(100);
/// Codes that nothing waits under, of one person: the code is all that keeps somebody else from saying yes to it.
const WRONG_BURST: u32 = 10;
const WRONG_INTERVAL: Duration = Duration::from_secs(6);

/// Signs machines in.
pub(crate) struct Logins {
    store: SystemStore,
    rights: Rights,
    /// Where the web pages of this server are.
    address: String,
    beginning: Limiter<IpAddr>,
    asking: Limiter<IpAddr>,
    wrong_codes: Limiter<AccountId>,
}

/// Tokens that were made, and what of them is stored.
struct MadeTokens {
    access: String,
    refresh: String,
    access_hash: [u8; 32],
    refresh_hash: [u8; 32],
    access_expires_at: SystemTime,
    expires_at: SystemTime,
}

impl MadeTokens {
    fn new() -> Self {
        let secret = |prefix: &str| format!("{prefix}{}", BASE64URL_NOPAD.encode(&random::<32>()));
        let (access, refresh) = (secret(ACCESS_TOKEN_PREFIX), secret(REFRESH_TOKEN_PREFIX));
        let now = clock::now();
        Self {
            access_hash: sha256(access.as_bytes()),
            refresh_hash: sha256(refresh.as_bytes()),
            access_expires_at: now + ACCESS_LIFETIME,
            expires_at: now + SESSION_IDLE,
            access,
            refresh,
        }
    }

    fn stored(&self) -> NewTokens<'_> {
        NewTokens {
            access_hash: &self.access_hash,
            access_expires_at: self.access_expires_at,
            refresh_hash: &self.refresh_hash,
            expires_at: self.expires_at,
        }
    }

    fn into_proto(self) -> proto::LoginTokens {
        proto::LoginTokens {
            access_token: self.access,
            expires_in_seconds: u32::try_from(ACCESS_LIFETIME.as_secs()).unwrap_or(u32::MAX),
            refresh_token: self.refresh,
            session_expires_at_ms: clock::to_ms(self.expires_at),
        }
    }
}

impl Logins {
    pub(crate) fn new(store: SystemStore, rights: Rights, address: String) -> Self {
        Self {
            store,
            rights,
            address,
            beginning: Limiter::new(BEGIN_BURST, BEGIN_INTERVAL),
            asking: Limiter::new(ASK_BURST, ASK_INTERVAL),
            wrong_codes: Limiter::new(WRONG_BURST, WRONG_INTERVAL),
        }
    }

    /// The code of a login that a person entered. It counts as wrong until it is found.
    fn entered(&self, somebody: &Somebody, text: &str) -> Result<UserCode, Status> {
        let code = UserCode::parse(text).ok_or_else(|| {
            status::invalid("user_code", "must be the eight letters that the machine shows, such as BDWP-HQPK")
        })?;
        self.wrong_codes.take(&somebody.person().account, Instant::now()).map_err(status::too_often)?;
        Ok(code)
    }

    fn was_right(&self, somebody: &Somebody) {
        self.wrong_codes.give_back(&somebody.person().account);
    }
}

fn take<T>(limiter: &Limiter<IpAddr>, request: &Request<T>) -> Result<(), Status> {
    let Some(Source(source)) = request.extensions().get::<Source>().copied() else { return Ok(()) };
    limiter.take(&limited_as(source), Instant::now()).map_err(status::too_often)
}

fn no_such_code() -> Status {
    Status::not_found(
        "user_code: no machine waits under this code; look at its screen, or begin again with `fleetctl login`",
    )
}

#[tonic::async_trait]
impl LoginService for Logins {
    async fn start_login(
        &self,
        request: Request<proto::StartLoginRequest>,
    ) -> Result<Response<proto::StartLoginResponse>, Status> {
        take(&self.beginning, &request)?;
        let source = request.extensions().get::<Source>().map(|Source(source)| source.to_string()).unwrap_or_default();
        let client = request.get_ref().client.trim();
        let length = client.chars().count();
        if !(1..=CLIENT_MAX_CHARS).contains(&length) || client.chars().any(char::is_control) {
            return Err(status::invalid(
                "client",
                format!("must have 1 to {CLIENT_MAX_CHARS} printable characters, such as fleetctl on workbench"),
            ));
        }
        let device_code = BASE64URL_NOPAD.encode(&random::<32>());
        let mut user_code = UserCode::from_random(random());
        for tried in 1..=CODE_TRIES {
            let new = NewLogin {
                device_code_hash: &sha256(device_code.as_bytes()),
                user_code: user_code.as_str(),
                client,
                source_address: &source,
                expires_at: clock::now() + LOGIN_LIFETIME,
                interval_seconds: INTERVAL_SECONDS,
            };
            match self.store.login_insert(&new).await {
                Ok(()) => break,
                Err(StoreError::AlreadyExists { .. }) if tried < CODE_TRIES => {
                    user_code = UserCode::from_random(random())
                }
                Err(error) => return Err(status::store(error)),
            }
        }
        let verification_uri = format!("{}/login-device", self.address);
        Ok(Response::new(proto::StartLoginResponse {
            device_code,
            user_code: user_code.to_string(),
            verification_uri_complete: format!("{verification_uri}?code={user_code}"),
            verification_uri,
            expires_in_seconds: u32::try_from(LOGIN_LIFETIME.as_secs()).unwrap_or(u32::MAX),
            interval_seconds: INTERVAL_SECONDS,
        }))
    }

    async fn poll_login(
        &self,
        request: Request<proto::PollLoginRequest>,
    ) -> Result<Response<proto::PollLoginResponse>, Status> {
        take(&self.asking, &request)?;
        let hash = fields::secret("device_code", &request.get_ref().device_code)?;
        let tokens = MadeTokens::new();
        let polled = self.store.login_poll(&hash, &tokens.stored()).await.map_err(status::store)?;
        let (state, interval_seconds) = match polled {
            LoginPolled::Pending { interval_seconds } => (proto::LoginState::Pending, interval_seconds),
            LoginPolled::TooSoon { interval_seconds } => (proto::LoginState::SlowDown, interval_seconds),
            LoginPolled::Denied => (proto::LoginState::Denied, 0),
            LoginPolled::Expired => (proto::LoginState::Expired, 0),
            LoginPolled::Approved => (proto::LoginState::Approved, 0),
        };
        let tokens = (polled == LoginPolled::Approved).then(|| tokens.into_proto());
        Ok(Response::new(proto::PollLoginResponse { state: state.into(), interval_seconds, tokens }))
    }

    async fn refresh_login(
        &self,
        request: Request<proto::RefreshLoginRequest>,
    ) -> Result<Response<proto::RefreshLoginResponse>, Status> {
        take(&self.asking, &request)?;
        let hash = fields::secret("refresh_token", &request.get_ref().refresh_token)?;
        let tokens = MadeTokens::new();
        match self.store.login_refresh(&hash, &tokens.stored()).await.map_err(status::store)? {
            Refreshed::Yes => Ok(Response::new(proto::RefreshLoginResponse { tokens: Some(tokens.into_proto()) })),
            Refreshed::Ended => Err(Status::unauthenticated("the session is over; run `fleetctl login`")),
            Refreshed::Reused(account) => {
                tracing::warn!(account.id = %account, "a refresh token came back that was replaced before; its session was ended");
                self.rights.changed(account).await;
                Err(Status::unauthenticated(
                    "this token was replaced before, so somebody else may have it: the session was ended; run `fleetctl login`",
                ))
            }
        }
    }

    async fn look_up_login(
        &self,
        request: Request<proto::LookUpLoginRequest>,
    ) -> Result<Response<proto::LookUpLoginResponse>, Status> {
        let somebody = Somebody::of(&request)?;
        let code = self.entered(somebody, &request.get_ref().user_code)?;
        let found = self.store.login_look_up(&somebody.person().scope(), code.as_str()).await.map_err(status::store)?;
        let found = found.ok_or_else(no_such_code)?;
        self.was_right(somebody);
        Ok(Response::new(proto::LookUpLoginResponse {
            client: found.client,
            source_address: found.source_address,
            expires_at_ms: clock::to_ms(found.expires_at),
        }))
    }

    async fn decide_login(
        &self,
        request: Request<proto::DecideLoginRequest>,
    ) -> Result<Response<proto::DecideLoginResponse>, Status> {
        let somebody = Somebody::of(&request)?;
        // A machine that has tokens must not be able to let others in.
        if request.extensions().get::<FromOurPages>().is_none() {
            return Err(Status::permission_denied(format!(
                "a login is confirmed in a browser; open {}/login-device",
                self.address
            )));
        }
        let code = self.entered(somebody, &request.get_ref().user_code)?;
        let approve = request.get_ref().approve;
        let decided =
            self.store.login_decide(&somebody.person().scope(), &somebody.actor(), code.as_str(), approve).await;
        if !decided.map_err(status::store)? {
            return Err(no_such_code());
        }
        self.was_right(somebody);
        Ok(Response::new(proto::DecideLoginResponse {}))
    }
}
