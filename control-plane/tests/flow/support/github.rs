//! A GitHub of our own: the four addresses that a sign-in needs, as strict as the real ones.

use crate::support::http::{StandIn, answer};
use anyhow::Result;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{Request, Response, StatusCode, header};
use kaliun_control_plane::identity_providers::{ProviderSettings, Speaks};
use kaliun_types::secret::SecretText;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const CLIENT: &str = "Iv1.fleet";
const SECRET: &str = "secret-of-the-fleet";

/// Who signs in next.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) emails: Value,
}

/// What was agreed to: by code, then by token.
#[derive(Clone)]
struct Agreed {
    challenge: String,
    redirect_uri: String,
    user: User,
}

#[derive(Default)]
struct Memory {
    user: Option<User>,
    codes: BTreeMap<String, Agreed>,
    tokens: BTreeMap<String, User>,
    count: u32,
}

pub(crate) struct TestGitHub {
    memory: Arc<Mutex<Memory>>,
    stand_in: StandIn,
}

impl TestGitHub {
    pub(crate) async fn start() -> Result<Self> {
        let memory = Arc::new(Mutex::new(Memory::default()));
        let stand_in = StandIn::start({
            let memory = Arc::clone(&memory);
            move |request| {
                let answered = answered(&mut memory.lock().expect("nobody panicked"), &request);
                async move { answered }
            }
        })
        .await?;
        Ok(Self { memory, stand_in })
    }

    /// Whoever comes from now on is this one, and agrees.
    pub(crate) fn sign_in_as(&self, user: User) {
        self.memory.lock().expect("nobody panicked").user = Some(user);
    }

    pub(crate) fn url(&self) -> String {
        self.stand_in.url()
    }

    /// How a server is to speak to it.
    pub(crate) fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            id: "github".to_owned(),
            name: "GitHub".to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(SecretText::new(SECRET.to_owned())),
            scopes: ["read:user", "user:email"].map(str::to_owned).to_vec(),
            trust_email: true,
            ca_file: None,
            speaks: Speaks::GitHub {
                base_url: self.stand_in.url(),
                api_url: format!("{}/api/v3", self.stand_in.url()),
            },
        }
    }
}

fn answered(memory: &mut Memory, request: &Request<Bytes>) -> Response<Bytes> {
    match (request.method().as_str(), request.uri().path()) {
        ("GET", "/login/oauth/authorize") => authorize(memory, &fields(request.uri().query().unwrap_or_default())),
        ("POST", "/login/oauth/access_token") => {
            exchange(memory, &fields(std::str::from_utf8(request.body()).unwrap_or_default()))
        }
        ("GET", "/api/v3/user") => {
            ask(memory, request, |user| json!({"id": user.id, "login": user.login, "name": null}))
        }
        ("GET", "/api/v3/user/emails") => ask(memory, request, |user| user.emails.clone()),
        _other => answer(404, "application/json", "{}"),
    }
}

fn authorize(memory: &mut Memory, sent: &BTreeMap<String, String>) -> Response<Bytes> {
    let text = |name: &str| sent.get(name).cloned().unwrap_or_default();
    let is_right = text("client_id") == CLIENT
        && text("code_challenge_method") == "S256"
        && text("scope").split(' ').any(|scope| scope == "user:email");
    let redirect_uri = text("redirect_uri");
    let back = |query: String| {
        let mut response = answer(302, "text/plain", "");
        response.headers_mut().insert(header::LOCATION, format!("{redirect_uri}?{query}").parse().expect("an address"));
        response
    };
    let Some(user) = memory.user.clone().filter(|_user| is_right) else {
        return back(format!("error=access_denied&state={}", text("state")));
    };
    memory.count += 1;
    let code = format!("code-{}", memory.count);
    let agreed = Agreed { challenge: text("code_challenge"), redirect_uri: redirect_uri.clone(), user };
    memory.codes.insert(code.clone(), agreed);
    back(format!("code={code}&state={}", text("state")))
}

/// A token for a code, once. GitHub says with status 200 why not.
fn exchange(memory: &mut Memory, sent: &BTreeMap<String, String>) -> Response<Bytes> {
    let text = |name: &str| sent.get(name).map(String::as_str).unwrap_or_default();
    let said = |body: Value| answer(200, "application/json; charset=utf-8", body.to_string());
    if text("client_id") != CLIENT || text("client_secret") != SECRET {
        return said(json!({"error": "incorrect_client_credentials", "error_description": "They are incorrect."}));
    }
    let refused = json!({"error": "bad_verification_code", "error_description": "The code is incorrect or expired."});
    let Some(agreed) = memory.codes.remove(text("code")) else { return said(refused) };
    let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, text("code_verifier").as_bytes()).as_ref());
    if challenge != agreed.challenge || text("redirect_uri") != agreed.redirect_uri {
        return said(refused);
    }
    memory.count += 1;
    let token = format!("gho_{}", memory.count);
    memory.tokens.insert(token.clone(), agreed.user);
    said(json!({"access_token": token, "scope": "read:user,user:email", "token_type": "bearer"}))
}

fn ask(memory: &Memory, request: &Request<Bytes>, about: impl Fn(&User) -> Value) -> Response<Bytes> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text("user-agent").is_empty() {
        return answer(StatusCode::FORBIDDEN.as_u16(), "text/plain", "who are you?");
    }
    match text("authorization").strip_prefix("Bearer ").and_then(|token| memory.tokens.get(token)) {
        Some(user) => answer(200, "application/json; charset=utf-8", about(user).to_string()),
        None => answer(401, "application/json", json!({"message": "Bad credentials"}).to_string()),
    }
}

fn fields(form: &str) -> BTreeMap<String, String> {
    openidconnect::url::form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}
