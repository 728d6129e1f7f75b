//! Signing in by a code, and the one session that comes of it.

use super::Services;
use crate::things::NOW_MS;
use kaliun_proto::fleet::v1::login_service_server::LoginService;
use kaliun_proto::fleet::v1::*;
use std::collections::VecDeque;
use std::time::Duration;
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
    /// Access tokens are refused, as if they had run out; refreshing gives good ones.
    pub(crate) access_refused: bool,
    /// Answers to all renewals when set.
    pub(crate) refresh_refusal: Option<Status>,
    /// How long a renewal takes.
    pub(crate) refresh_takes: Duration,
    /// How many renewals were asked for.
    pub(crate) refreshes: u32,
    /// What the machine said of itself.
    pub(crate) client: String,
    pub(crate) sessions: Vec<LoginSession>,
}

pub(crate) struct LoginSession {
    /// How many pairs of tokens it has had. The newest alone is good.
    issued: u32,
    alive: bool,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            answers: VecDeque::from([Ok(LoginState::Approved)]),
            code_seconds: 600,
            access_seconds: 900,
            access_refused: false,
            refresh_refusal: None,
            refresh_takes: Duration::ZERO,
            refreshes: 0,
            client: String::new(),
            sessions: Vec::new(),
        }
    }
}

fn tokens(session: usize, issued: u32) -> [String; 2] {
    ["kas1.access", "kar1.refresh"].map(|kind| format!("{kind}-that-must-never-be-printed-{session}-{issued}"))
}

impl Logins {
    /// A session that is in use, with its first tokens.
    pub(crate) fn signed_in() -> Self {
        Self { sessions: vec![LoginSession { issued: 1, alive: true }], ..Self::default() }
    }

    /// The good access token and the good refresh token of the newest session.
    pub(crate) fn tokens(&self) -> [String; 2] {
        tokens(self.sessions.len() - 1, self.sessions.last().unwrap().issued)
    }

    /// Which sessions live, the oldest first.
    pub(crate) fn alive(&self) -> Vec<bool> {
        self.sessions.iter().map(|session| session.alive).collect()
    }

    /// Ends all of them.
    pub(crate) fn end(&mut self) {
        self.sessions.iter_mut().for_each(|session| session.alive = false);
    }

    /// Whether a call with this token is let in.
    pub(super) fn admits(&self, token: &str) -> bool {
        !self.access_refused && self.session_of_access(token).is_some_and(|index| self.sessions[index].alive)
    }

    pub(super) fn sign_out(&mut self, token: &str) {
        let index = self.session_of_access(token).unwrap();
        self.sessions[index].alive = false;
    }

    fn session_of_access(&self, token: &str) -> Option<usize> {
        self.sessions.iter().enumerate().position(|(index, session)| tokens(index, session.issued)[0] == token)
    }

    fn open(&mut self) -> LoginTokens {
        self.sessions.push(LoginSession { issued: 0, alive: true });
        self.issue(self.sessions.len() - 1)
    }

    /// New tokens for a good refresh token. One that was replaced ends its session.
    fn renew(&mut self, refresh_token: &str) -> Option<LoginTokens> {
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if (1..session.issued).any(|issued| tokens(index, issued)[1] == refresh_token) {
                session.alive = false;
            }
            if session.alive && tokens(index, session.issued)[1] == refresh_token {
                return Some(self.issue(index));
            }
        }
        None
    }

    fn issue(&mut self, index: usize) -> LoginTokens {
        self.sessions[index].issued += 1;
        self.access_refused = false;
        let [access_token, refresh_token] = tokens(index, self.sessions[index].issued);
        LoginTokens {
            access_token,
            expires_in_seconds: self.access_seconds,
            refresh_token,
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
        let tokens = (state == LoginState::Approved).then(|| logins.open());
        Ok(Response::new(PollLoginResponse { state: state.into(), interval_seconds: 1, tokens }))
    }

    async fn refresh_login(
        &self,
        request: Request<RefreshLoginRequest>,
    ) -> Result<Response<RefreshLoginResponse>, Status> {
        // What was sent is done, whether anybody waits for the answer or not.
        let takes = self.world().logins.refresh_takes;
        tokio::time::sleep(takes).await;
        let mut world = self.world();
        world.calls.push("refresh_login".to_owned());
        let logins = &mut world.logins;
        logins.refreshes += 1;
        if let Some(refusal) = &logins.refresh_refusal {
            return Err(refusal.clone());
        }
        let tokens = logins.renew(&request.get_ref().refresh_token);
        match tokens {
            Some(tokens) => Ok(Response::new(RefreshLoginResponse { tokens: Some(tokens) })),
            None => Err(Status::unauthenticated("This session is over.")),
        }
    }

    async fn look_up_login(&self, _: Request<LookUpLoginRequest>) -> Result<Response<LookUpLoginResponse>, Status> {
        Err(Status::unimplemented("For browsers only."))
    }

    async fn decide_login(&self, _: Request<DecideLoginRequest>) -> Result<Response<DecideLoginResponse>, Status> {
        Err(Status::unimplemented("For browsers only."))
    }
}
