//! A real OpenID Connect provider, with somebody in front of it who counts, and lies when told to.

mod program;

use crate::support::http::{StandIn, Visitor, answer, location, send};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, Response, header};
use kaliun_control_plane::identity_providers::{ProviderSettings, Speaks};
use kaliun_types::secret::SecretText;
use program::Program;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// How such a provider is to be.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// The signature of its tokens.
    pub(crate) alg: &'static str,
    /// By login: the claims of each.
    pub(crate) accounts: Value,
    /// Whether the claims stand in the token, and not only at the userinfo endpoint.
    pub(crate) in_token: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        let ann = json!({"name": "Ann", "email": "ann@example.org", "email_verified": true, "groups": ["crew"]});
        Self { alg: "RS256", accounts: json!({ "ann": ann }), in_token: false }
    }
}

/// What the one in front makes of an answer: given the path.
type Lie = Box<dyn Fn(&str, Response<Bytes>) -> Response<Bytes> + Send>;

#[derive(Default)]
struct Front {
    provider: Mutex<Option<SocketAddr>>,
    asked: Mutex<BTreeMap<String, u32>>,
    lie: Mutex<Option<Lie>>,
}

/// The provider and the one in front of it.
pub(crate) struct TestProvider {
    wanted: Wanted,
    front: Arc<Front>,
    stand_in: StandIn,
    _program: Program,
}

impl TestProvider {
    pub(crate) async fn start(wanted: Wanted) -> Result<Self> {
        let front = Arc::new(Front::default());
        let stand_in = StandIn::start({
            let front = Arc::clone(&front);
            move |request| pass(Arc::clone(&front), request)
        })
        .await?;
        let program = Program::start(&stand_in.url(), &wanted).await?;
        *front.provider.lock().expect("nobody panicked") = Some(program.address());
        Ok(Self { wanted, front, stand_in, _program: program })
    }

    /// Starts it anew, with another key and nothing remembered.
    pub(crate) async fn rotate_keys(&mut self) -> Result<()> {
        let program = Program::start(&self.stand_in.url(), &self.wanted).await?;
        *self.front.provider.lock().expect("nobody panicked") = Some(program.address());
        self._program = program;
        Ok(())
    }

    /// The same, with other people.
    pub(crate) async fn change_accounts(&mut self, accounts: Value) -> Result<()> {
        self.wanted.accounts = accounts;
        self.rotate_keys().await
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> u32 {
        self.front.asked.lock().expect("nobody panicked").get(path).copied().unwrap_or(0)
    }

    /// Changes answers from now on.
    pub(crate) fn lie(&self, lie: impl Fn(&str, Response<Bytes>) -> Response<Bytes> + Send + 'static) {
        *self.front.lie.lock().expect("nobody panicked") = Some(Box::new(lie));
    }

    /// Puts another ID token into the answers to codes.
    pub(crate) fn swap_token(&self, token: String) {
        self.lie(move |path, response| {
            if path != "/token" {
                return response;
            }
            let mut body: Map<String, Value> = serde_json::from_slice(response.body()).expect("it is a JSON object");
            body.insert("id_token".to_owned(), Value::String(token.clone()));
            answer(200, "application/json", Value::Object(body).to_string())
        });
    }

    pub(crate) fn issuer(&self) -> String {
        self.stand_in.url()
    }

    /// How a server is to speak to it.
    pub(crate) fn settings(&self) -> ProviderSettings {
        self.settings_of("kaliun-fleet")
    }

    /// The same as another client of it.
    pub(crate) fn settings_of(&self, client_id: &str) -> ProviderSettings {
        ProviderSettings {
            id: "company".to_owned(),
            name: "The company".to_owned(),
            client_id: client_id.to_owned(),
            client_secret: Some(SecretText::new(format!("secret-of-{client_id}"))),
            scopes: ["openid", "email", "profile", "groups"].map(str::to_owned).to_vec(),
            trust_email: true,
            ca_file: None,
            speaks: Speaks::OpenIdConnect { issuer: self.issuer() },
        }
    }
}

/// Asks the provider, counts, and lies when told to.
async fn pass(front: Arc<Front>, request: Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path().to_owned();
    *front.asked.lock().expect("nobody panicked").entry(path.clone()).or_default() += 1;
    let provider = *front.provider.lock().expect("nobody panicked");
    let answered = match provider {
        Some(provider) => send(provider, request).await,
        None => return answer(503, "text/plain", "it has not started"),
    };
    match answered {
        Ok(mut response) => {
            // What is said of the body's length is made anew.
            response.headers_mut().remove(header::TRANSFER_ENCODING);
            response.headers_mut().remove(header::CONTENT_LENGTH);
            match &*front.lie.lock().expect("nobody panicked") {
                Some(lie) => lie(&path, response),
                None => response,
            }
        }
        Err(error) => answer(502, "text/plain", error.to_string()),
    }
}

/// Signs in and agrees on the provider's own pages. Answers where it sends the browser then.
pub(crate) async fn agree(visitor: &mut Visitor, redirect_to: &str, login: &str) -> Result<String> {
    visit(visitor, redirect_to, Some(login)).await
}

/// Turns away on the provider's first page.
pub(crate) async fn refuse(visitor: &mut Visitor, redirect_to: &str) -> Result<String> {
    visit(visitor, redirect_to, None).await
}

async fn visit(visitor: &mut Visitor, redirect_to: &str, login: Option<&str>) -> Result<String> {
    let mut url = redirect_to.to_owned();
    let provider: http::Uri = url.parse()?;
    let provider = format!("http://{}", provider.authority().context("the address has a host")?);
    // Sign-in and agreement are two pages, with a redirect before and behind each.
    for _page in 0..12 {
        let mut page = visitor.get(&url).await?;
        if page.status() == 200 {
            let text = String::from_utf8_lossy(page.body()).into_owned();
            page = match login {
                None => visitor.get(&format!("{url}/abort")).await?,
                Some(login) if text.contains("value=\"login\"") => {
                    visitor.post(&url, &[("prompt", "login"), ("login", login), ("password", "any")]).await?
                }
                Some(_login) => visitor.post(&url, &[("prompt", "consent")]).await?,
            };
        }
        if !page.status().is_redirection() {
            bail!("{url} answered {}: {}", page.status(), String::from_utf8_lossy(page.body()));
        }
        url = location(&url, &page)?;
        if !url.starts_with(&provider) {
            return Ok(url);
        }
    }
    bail!("the provider does not come to an end")
}
