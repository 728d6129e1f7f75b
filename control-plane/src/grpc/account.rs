//! A person's account: signing up, in and out, and what is theirs alone.

mod cookie;
pub(crate) mod fields;
mod guard;
mod identity;
mod own;
mod password;
mod sessions;
mod sign_in;
mod sign_up;

use super::auth::{FromOurPages, Somebody, Source, Whoever};
use super::page::PageSeal;
use super::status;
use crate::mail::Outlet;
use crate::rights::Rights;
pub(crate) use cookie::{SESSION_LIFETIME, SessionCookie};
use guard::Guard;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::account_service_server::AccountService;
use kaliun_store::SystemStore;
use password::fits;
pub(crate) use password::hash_password;
use tonic::{Request, Response, Status};

/// Signs people up, in and out, and changes what is theirs.
pub(crate) struct Accounts {
    store: SystemStore,
    seal: PageSeal,
    rights: Rights,
    cookie: SessionCookie,
    guard: Guard,
    /// Where the web pages of this server are.
    address: String,
    /// Who may sign up.
    sign_up: SignUpPolicy,
    /// Where mails go; whether there is such a place.
    outlet: Outlet,
}

/// Who may have an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SignUpPolicy {
    /// Whoever asks.
    Open,
    /// Who was invited.
    Invited,
}

/// What the accounts of a server need.
pub(crate) struct AccountParts {
    pub(crate) store: SystemStore,
    pub(crate) seal: PageSeal,
    pub(crate) rights: Rights,
    pub(crate) cookie: SessionCookie,
    pub(crate) sources_are_known: bool,
    pub(crate) address: String,
    pub(crate) sign_up: SignUpPolicy,
    pub(crate) outlet: Outlet,
}

impl Accounts {
    pub(crate) fn new(parts: AccountParts) -> Self {
        let AccountParts { store, seal, rights, cookie, sources_are_known, address, sign_up, outlet } = parts;
        Self { store, seal, rights, cookie, guard: Guard::new(sources_are_known), address, sign_up, outlet }
    }

    /// Refuses what would set a cookie for a page that is not ours.
    fn must_be_our_page<T>(&self, request: &Request<T>) -> Result<(), Status> {
        if request.extensions().get::<FromOurPages>().is_some() {
            return Ok(());
        }
        Err(Status::permission_denied(format!(
            "this page is not one of this server's; open {} and sign in there (programs use `fleetctl login` or an API token)",
            self.address
        )))
    }

    fn needs_mail(&self) -> Result<(), Status> {
        if self.outlet.is_configured() {
            return Ok(());
        }
        Err(Status::failed_precondition(
            "this server cannot send mail, which this takes; ask whoever runs it to set smtp_url, or to make the change for you",
        ))
    }

    /// Whether the person who is signed in typed their password. Wrong tries count as those of signing in do. Without a password there is
    /// nothing to type.
    async fn check_own_password(
        &self,
        source: Option<Source>,
        somebody: &Somebody,
        field: &str,
        typed: &str,
    ) -> Result<(), Status> {
        let typed = fields::given_password(field, typed)?.to_owned();
        let person = somebody.person();
        let login = self.store.account_own_login(&person.scope()).await.map_err(status::store)?;
        let login = login.ok_or_else(|| Status::unauthenticated("the account is gone; sign in with another one"))?;
        let Some(hash) = login.password_hash else { return Ok(()) };
        let attempt = self.guard.begin(source, &person.email).await?;
        if fits(typed, Some(hash)).await? {
            return Ok(());
        }
        attempt.failed();
        Err(status::invalid(field, "is not the password of this account; type it again, or set a new one by mail"))
    }
}

/// Where a request comes from.
pub(super) fn source_of<T>(request: &Request<T>) -> Option<Source> {
    request.extensions().get::<Source>().copied()
}

/// The same in words, for what is kept.
fn source_text(source: Option<Source>) -> String {
    source.map(|Source(address)| address.to_string()).unwrap_or_default()
}

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn sign_up(&self, request: Request<proto::SignUpRequest>) -> Result<Response<proto::SignUpResponse>, Status> {
        let source = source_of(&request);
        let next = self.ask_for_account(source, request.into_inner()).await?;
        Ok(Response::new(proto::SignUpResponse { next: next.into() }))
    }

    async fn confirm_sign_up(
        &self,
        request: Request<proto::ConfirmSignUpRequest>,
    ) -> Result<Response<proto::ConfirmSignUpResponse>, Status> {
        self.must_be_our_page(&request)?;
        let opening = sign_in::Opening::of(&request);
        let (identity, secret) = self.confirm(opening, request.into_inner()).await?;
        let mut response = Response::new(proto::ConfirmSignUpResponse { identity: Some(identity) });
        self.cookie.set(&mut response, &secret);
        Ok(response)
    }

    async fn sign_in(&self, request: Request<proto::SignInRequest>) -> Result<Response<proto::SignInResponse>, Status> {
        self.must_be_our_page(&request)?;
        let opening = sign_in::Opening::of(&request);
        let (identity, secret) = self.open_session(opening, request.into_inner()).await?;
        let mut response = Response::new(proto::SignInResponse { identity: Some(identity) });
        self.cookie.set(&mut response, &secret);
        Ok(response)
    }

    async fn sign_out(
        &self,
        request: Request<proto::SignOutRequest>,
    ) -> Result<Response<proto::SignOutResponse>, Status> {
        let from_our_pages = request.extensions().get::<FromOurPages>().is_some();
        self.close_session(&request.metadata().clone().into_headers(), from_our_pages).await?;
        let mut response = Response::new(proto::SignOutResponse {});
        if from_our_pages {
            self.cookie.clear(&mut response);
        }
        Ok(response)
    }

    async fn who_am_i(
        &self,
        request: Request<proto::WhoAmIRequest>,
    ) -> Result<Response<proto::WhoAmIResponse>, Status> {
        let identity = identity::identity(&Whoever::of(&request)?.signed_in);
        Ok(Response::new(proto::WhoAmIResponse { identity: Some(identity) }))
    }

    async fn request_password_reset(
        &self,
        request: Request<proto::RequestPasswordResetRequest>,
    ) -> Result<Response<proto::RequestPasswordResetResponse>, Status> {
        self.needs_mail()?;
        self.guard.may_ask(source_of(&request))?;
        let email = fields::email("email", &request.get_ref().email)?;
        self.store.password_reset_request(email.as_str()).await.map_err(status::store)?;
        self.outlet.wake();
        Ok(Response::new(proto::RequestPasswordResetResponse {}))
    }

    async fn reset_password(
        &self,
        request: Request<proto::ResetPasswordRequest>,
    ) -> Result<Response<proto::ResetPasswordResponse>, Status> {
        let source = source_of(&request);
        let request_id = status::request_id_of(&request);
        self.set_by_mail(source, request.into_inner(), &request_id).await?;
        Ok(Response::new(proto::ResetPasswordResponse {}))
    }

    async fn change_password(
        &self,
        request: Request<proto::ChangePasswordRequest>,
    ) -> Result<Response<proto::ChangePasswordResponse>, Status> {
        let (source, somebody) = (source_of(&request), Somebody::of(&request)?.clone());
        self.set_another_password(source, &somebody, request.into_inner()).await?;
        Ok(Response::new(proto::ChangePasswordResponse {}))
    }

    async fn request_address_change(
        &self,
        request: Request<proto::RequestAddressChangeRequest>,
    ) -> Result<Response<proto::RequestAddressChangeResponse>, Status> {
        let (source, somebody) = (source_of(&request), Somebody::of(&request)?.clone());
        self.ask_for_address(source, &somebody, request.into_inner()).await?;
        Ok(Response::new(proto::RequestAddressChangeResponse {}))
    }

    async fn confirm_address_change(
        &self,
        request: Request<proto::ConfirmAddressChangeRequest>,
    ) -> Result<Response<proto::ConfirmAddressChangeResponse>, Status> {
        let email = self.set_address(&request.get_ref().secret, &status::request_id_of(&request)).await?;
        Ok(Response::new(proto::ConfirmAddressChangeResponse { email }))
    }

    async fn update_account(
        &self,
        request: Request<proto::UpdateAccountRequest>,
    ) -> Result<Response<proto::UpdateAccountResponse>, Status> {
        let somebody = Somebody::of(&request)?;
        let name = fields::name("name", &request.get_ref().name)?;
        let renamed = self.store.account_rename(&somebody.person().scope(), &somebody.actor(), name).await;
        renamed.map_err(status::store)?;
        Ok(Response::new(proto::UpdateAccountResponse {}))
    }

    async fn list_sessions(
        &self,
        request: Request<proto::ListSessionsRequest>,
    ) -> Result<Response<proto::ListSessionsResponse>, Status> {
        let somebody = Somebody::of(&request)?.clone();
        self.page_of_sessions(&somebody, &request.into_inner()).await.map(Response::new)
    }

    async fn revoke_session(
        &self,
        request: Request<proto::RevokeSessionRequest>,
    ) -> Result<Response<proto::RevokeSessionResponse>, Status> {
        let somebody = Somebody::of(&request)?.clone();
        self.end_session(&somebody, &request.get_ref().id).await?;
        Ok(Response::new(proto::RevokeSessionResponse {}))
    }

    async fn revoke_other_sessions(
        &self,
        request: Request<proto::RevokeOtherSessionsRequest>,
    ) -> Result<Response<proto::RevokeOtherSessionsResponse>, Status> {
        let somebody = Somebody::of(&request)?.clone();
        let revoked = self.end_other_sessions(&somebody).await?;
        Ok(Response::new(proto::RevokeOtherSessionsResponse { revoked }))
    }

    async fn export_account(
        &self,
        request: Request<proto::ExportAccountRequest>,
    ) -> Result<Response<proto::ExportAccountResponse>, Status> {
        let json = self.export(Somebody::of(&request)?).await?;
        Ok(Response::new(proto::ExportAccountResponse { json }))
    }

    async fn delete_account(
        &self,
        request: Request<proto::DeleteAccountRequest>,
    ) -> Result<Response<proto::DeleteAccountResponse>, Status> {
        let (source, somebody) = (source_of(&request), Somebody::of(&request)?.clone());
        self.delete(source, &somebody, request.into_inner()).await?;
        let mut response = Response::new(proto::DeleteAccountResponse {});
        self.cookie.clear(&mut response);
        Ok(response)
    }
}
