//! Signing in and out.

mod guard;

use super::api_token::role_to_proto;
use super::auth::{Caller, FromOurPages, Source, session_secret};
use super::status;
use crate::clock;
use crate::digest::{random, sha256};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use data_encoding::BASE64URL_NOPAD;
use guard::Guard;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::account_service_server::AccountService;
use kaliun_store::{SignedIn, SystemStore};
use std::sync::LazyLock;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// How long a browser stays signed in.
const SESSION_LIFETIME: Duration = Duration::from_secs(14 * 24 * 3600);
/// Longest address (RFC 5321) and password that are looked at.
const EMAIL_MAX_BYTES: usize = 254;
const PASSWORD_MAX_BYTES: usize = 1024;

/// Signs people in and out.
pub(crate) struct Accounts {
    store: SystemStore,
    cookie: SessionCookie,
    guard: Guard,
    /// Where the web pages of this server are.
    address: String,
}

/// The cookie that holds a browser session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionCookie {
    /// With TLS the name begins with `__Host-`, which browsers tie to this host and to TLS (RFC 6265bis section 4.1.3.2).
    pub(crate) name: &'static str,
    attributes: &'static str,
}

impl SessionCookie {
    /// For a server on TLS, or on plain HTTP on loopback.
    pub(crate) fn new(tls: bool) -> Self {
        if tls {
            Self { name: "__Host-kaliun", attributes: "; Path=/; HttpOnly; SameSite=Lax; Secure" }
        } else {
            Self { name: "kaliun", attributes: "; Path=/; HttpOnly; SameSite=Lax" }
        }
    }

    fn set<T>(self, response: &mut Response<T>, value: &str, lifetime: Duration) {
        let line = format!("{}={value}; Max-Age={}{}", self.name, lifetime.as_secs(), self.attributes);
        if let Ok(line) = line.parse() {
            response.metadata_mut().insert("set-cookie", line);
        }
    }
}

/// A hash of no password, so that an unknown address takes as long as a wrong password.
static NO_PASSWORD: LazyLock<Option<String>> =
    LazyLock::new(|| hash_password(&BASE64URL_NOPAD.encode(&random::<32>())).ok());

/// Hashes a password for the database (argon2id, PHC string).
///
/// # Errors
/// The library refused, for want of memory.
pub(crate) fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password_with_salt(password.as_bytes(), &random::<16>()).map(|hash| hash.to_string())
}

impl Accounts {
    pub(crate) fn new(store: SystemStore, cookie: SessionCookie, sources_are_known: bool, address: String) -> Self {
        Self { store, cookie, guard: Guard::new(sources_are_known), address }
    }
}

/// Whether a password fits a hash. Off the async threads.
async fn fits(password: String, hash: String) -> Result<bool, Status> {
    tokio::task::spawn_blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
    .map_err(|_panicked| Status::internal("the password could not be checked; try again"))
}

/// A caller's identity on its way out.
fn identity(signed_in: &SignedIn) -> proto::Identity {
    proto::Identity {
        email: signed_in.email.clone().unwrap_or_default(),
        organization_id: signed_in.scope.organization().to_string(),
        organization_name: signed_in.organization_name.clone(),
        role: role_to_proto(signed_in.role).into(),
        expires_at_ms: clock::to_ms(signed_in.expires_at),
        api_token_name: signed_in.api_token_name.clone().unwrap_or_default(),
    }
}

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn sign_in(&self, request: Request<proto::SignInRequest>) -> Result<Response<proto::SignInResponse>, Status> {
        if request.extensions().get::<FromOurPages>().is_none() {
            return Err(Status::permission_denied(format!(
                "this page is not one of this server's; open {} and sign in there (programs use an API token)",
                self.address
            )));
        }
        let source = request.extensions().get::<Source>().copied();
        let request = request.into_inner();
        if request.email.contains('\0') {
            return Err(status::invalid("email", "must be an address"));
        }
        if request.email.len() > EMAIL_MAX_BYTES || request.password.len() > PASSWORD_MAX_BYTES {
            return Err(status::invalid("password", "the address or the password is too long"));
        }
        let email = request.email.trim();
        let attempt = self.guard.begin(source, email).await?;
        let login = self.store.account_login(email).await.map_err(status::store)?;
        let (account, hash) = match login {
            Some(login) => (Some(login.account), login.password_hash),
            None => (None, NO_PASSWORD.clone().unwrap_or_default()),
        };
        let fits = fits(request.password, hash).await?;
        let Some(account) = account.filter(|_| fits) else {
            attempt.failed();
            return Err(Status::unauthenticated("the address or the password is wrong"));
        };
        let secret = BASE64URL_NOPAD.encode(&random::<32>());
        let expires_at = clock::now() + SESSION_LIFETIME;
        let signed_in = self
            .store
            .browser_session_insert(account, &sha256(secret.as_bytes()), expires_at)
            .await
            .map_err(status::store)?
            .ok_or_else(|| Status::permission_denied("this account belongs to no organization; ask to be invited"))?;
        let mut response = Response::new(proto::SignInResponse { identity: Some(identity(&signed_in)) });
        self.cookie.set(&mut response, &secret, SESSION_LIFETIME);
        Ok(response)
    }

    async fn sign_out(
        &self,
        request: Request<proto::SignOutRequest>,
    ) -> Result<Response<proto::SignOutResponse>, Status> {
        if request.extensions().get::<FromOurPages>().is_some()
            && let Some(hash) = session_secret(&request.metadata().clone().into_headers(), self.cookie.name)
        {
            self.store.browser_session_revoke(&hash).await.map_err(status::store)?;
        }
        let mut response = Response::new(proto::SignOutResponse {});
        self.cookie.set(&mut response, "", Duration::ZERO);
        Ok(response)
    }

    async fn who_am_i(
        &self,
        request: Request<proto::WhoAmIRequest>,
    ) -> Result<Response<proto::WhoAmIResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(proto::WhoAmIResponse { identity: Some(identity(&caller.signed_in)) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_only() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let parsed = PasswordHash::new(&hash).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"correct house", &parsed).is_err());
        assert_ne!(hash, hash_password("correct horse").unwrap());
    }
}
