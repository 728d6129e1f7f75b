//! Signing in and out.

use super::identity::identity;
use super::password::fits;
use super::{Accounts, SESSION_LIFETIME, SessionCookie, fields, source_of, source_text};
use crate::clock;
use crate::digest::sha256;
use crate::grpc::auth::{Credential, Source, credential};
use crate::grpc::status;
use http::{HeaderMap, header};
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{NewSession, SessionKind};
use tonic::{Request, Status};

/// Longest text of what a browser says of itself that is kept, characters.
const CLIENT_MAX_CHARS: usize = 200;

/// Where somebody opens a session, and with what.
pub(super) struct Opening {
    pub(super) source: Option<Source>,
    client: String,
    pub(super) request_id: String,
}

impl Opening {
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let headers = request.metadata();
        let said = headers.get(header::USER_AGENT.as_str()).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Browsers that cannot set the header of gRPC-Web have their own words there.
        let client = said.chars().filter(|c| !c.is_control()).take(CLIENT_MAX_CHARS).collect();
        Self { source: source_of(request), client, request_id: status::request_id_of(request) }
    }
}

impl Accounts {
    /// Opens a session for somebody who knows the password. Answers the cookie's secret, too.
    pub(super) async fn open_session(
        &self,
        opening: Opening,
        request: proto::SignInRequest,
    ) -> Result<(proto::Identity, String), Status> {
        let password = fields::given_password("password", &request.password)?.to_owned();
        let email = fields::email("email", &request.email)?;
        let attempt = self.guard.begin(opening.source, email.as_str()).await?;
        let login = self.store.account_login(email.as_str()).await.map_err(status::store)?;
        let (account, hash) = login.map_or((None, None), |login| (Some(login.account), login.password_hash));
        let fits = fits(password, hash.clone()).await?;
        let Some(account) = account.filter(|_| fits) else {
            attempt.failed();
            return Err(Status::unauthenticated(
                "the address or the password is wrong; try again, or set a new password by mail",
            ));
        };
        let secret = SessionCookie::secret();
        let (secret_hash, source) = (sha256(secret.as_bytes()), source_text(opening.source));
        let session = opening.session(&secret_hash, &source);
        let signed_in = self.store.browser_session_insert(account, hash.as_deref(), &session, None).await;
        let signed_in = signed_in.map_err(status::store)?.ok_or_else(|| {
            Status::unauthenticated("the account was deleted or got another password just now; sign in with that")
        })?;
        Ok((identity(&signed_in), secret))
    }

    /// Ends the session of a cookie, where it came from our pages, or of an access token.
    pub(super) async fn close_session(&self, headers: &HeaderMap, from_our_pages: bool) -> Result<(), Status> {
        let (kind, hash) = match credential(headers, self.cookie.name, from_our_pages)? {
            Some(Credential::BrowserSession(hash)) => (SessionKind::Browser, hash),
            Some(Credential::AccessToken(hash)) => (SessionKind::CommandLine, hash),
            // An API token has no session; it is ended as a token.
            Some(Credential::ApiToken(_)) | None => return Ok(()),
        };
        if let Some(account) = self.store.session_end(kind, &hash).await.map_err(status::store)? {
            self.rights.changed(account).await;
        }
        Ok(())
    }
}

impl Opening {
    /// The session to be opened.
    pub(super) fn session<'a>(&'a self, secret_hash: &'a [u8; 32], source_address: &'a str) -> NewSession<'a> {
        let expires_at = clock::now() + SESSION_LIFETIME;
        NewSession { client: &self.client, source_address, secret_hash, expires_at }
    }
}
