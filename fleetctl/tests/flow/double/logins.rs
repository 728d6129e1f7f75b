//! Signing in by a code, and the one session that comes of it.

use super::Services;
use crate::things::NOW_MS;
use kaliun_proto::fleet::v1::login_service_server::LoginService;
use kaliun_proto::fleet::v1::*;
use std::collections::VecDeque;
use tonic::{Request, Response, Status};

/// For the person who signs in. It never leaves the machine and its server.
pub(crate) const DEVICE_CODE: &str = "kad1.a-device-code-that-must-never-be-printed";

/// What a test says of logins, and what became of them.
pub(crate) struct Logins {
    /// What each poll is answered; the last one goes on for ever.
    pub(crate) answers: VecDeque<Result<LoginState, Status>>,
    /// How long codes and access tokens are good for.
    pub(crate) code_seconds: u32,
    pub(crate) access_seconds: u32,
    /// How many pairs of tokens there were. The newest alone is good.
    pub(crate) issued: u32,
    /// Whether the session lives.
    pub(crate) alive: bool,
    /// Access tokens are refused from now on, as if they had run out; refreshing gives good ones.
    pub(crate) access_refused: bool,
    /// Answers to all renewals when set.
    pub(crate) refresh_refusal: Option<Status>,
    /// Whether a replaced refresh token came back.
    pub(crate) burnt: bool,
    /// How many renewals were asked for.
    pub(crate) refreshes: u32,
    /// What the machine said of itself.
    pub(crate) client: String,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            answers: VecDeque::from([Ok(LoginState::Approved)]),
            code_seconds: 600,
            access_seconds: 900,
            issued: 0,
            alive: false,
            access_refused: false,
            refresh_refusal: None,
            burnt: false,
            refreshes: 0,
            client: String::new(),
        }
    }
}

impl Logins {
    /// A session that is in use, with its first tokens.
    pub(crate) fn signed_in() -> Self {
        Self { issued: 1, alive: true, ..Self::default() }
    }

    pub(crate) fn access_token(&self) -> String {
        format!("kas1.access-that-must-never-be-printed-{}", self.issued)
    }

    pub(crate) fn refresh_token(&self) -> String {
        format!("kar1.refresh-that-must-never-be-printed-{}", self.issued)
    }

    /// Whether a call with this token is let in.
    pub(super) fn admits(&self, token: &str) -> bool {
        self.alive && !self.access_refused && token == self.access_token()
    }

    fn issue(&mut self) -> LoginTokens {
        self.issued += 1;
        self.alive = true;
        self.access_refused = false;
        LoginTokens {
            access_token: self.access_token(),
            expires_in_seconds: self.access_seconds,
            refresh_token: self.refresh_token(),
            session_expires_at_ms: NOW_MS + 30 * 86_400_000,
        }
    }
}

#[tonic::async_trait]
impl LoginService for Services {
    async fn start_login(&self, request: Request<StartLoginRequest>) -> Result<Response<StartLoginResponse>, Status> {
        assert!(!request.metadata().contains_key("authorization"), "nobody is signed in yet");
        let mut world = self.world();
        world.calls.push("start_login".to_owned());
        world.logins.client = request.into_inner().client;
        Ok(Response::new(StartLoginResponse {
            device_code: DEVICE_CODE.to_owned(),
            user_code: "BDWP-HQPK".to_owned(),
            verification_uri: "https://fleet.example/activate".to_owned(),
            verification_uri_complete: "https://fleet.example/activate?code=BDWP-HQPK".to_owned(),
            expires_in_seconds: world.logins.code_seconds,
            interval_seconds: 1,
        }))
    }

    async fn poll_login(&self, request: Request<PollLoginRequest>) -> Result<Response<PollLoginResponse>, Status> {
        let mut world = self.world();
        world.calls.push("poll_login".to_owned());
        if request.get_ref().device_code != DEVICE_CODE {
            return Err(Status::not_found("There is no such login."));
        }
        let logins = &mut world.logins;
        let last = logins.answers.len() == 1;
        let answer = if last { logins.answers.front().cloned() } else { logins.answers.pop_front() };
        let state = answer.unwrap()?;
        let tokens = (state == LoginState::Approved).then(|| logins.issue());
        Ok(Response::new(PollLoginResponse { state: state.into(), interval_seconds: 1, tokens }))
    }

    async fn refresh_login(
        &self,
        request: Request<RefreshLoginRequest>,
    ) -> Result<Response<RefreshLoginResponse>, Status> {
        let mut world = self.world();
        world.calls.push("refresh_login".to_owned());
        let logins = &mut world.logins;
        logins.refreshes += 1;
        if let Some(refusal) = &logins.refresh_refusal {
            return Err(refusal.clone());
        }
        if !logins.alive || request.get_ref().refresh_token != logins.refresh_token() {
            logins.burnt = logins.alive;
            logins.alive = false;
            return Err(Status::unauthenticated("This session is over."));
        }
        Ok(Response::new(RefreshLoginResponse { tokens: Some(logins.issue()) }))
    }

    async fn look_up_login(&self, _: Request<LookUpLoginRequest>) -> Result<Response<LookUpLoginResponse>, Status> {
        Err(Status::unimplemented("For browsers only."))
    }

    async fn decide_login(&self, _: Request<DecideLoginRequest>) -> Result<Response<DecideLoginResponse>, Status> {
        Err(Status::unimplemented("For browsers only."))
    }
}
