//! Identity providers: which there are, what an account is linked with, and the beginning and end of that.

use super::account::{Accounts, source_of};
use super::auth::{FromOurPages, Somebody};
use super::status;
use crate::clock;
use crate::sign_in::{ProviderSignIn, ReturnPath};
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::identity_service_server::IdentityService;
use kaliun_store::{IdentityRow, SystemStore, Unlinked};
use kaliun_types::reason::ReasonCode;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// When to come back who could not begin for the time being.
const RETRY: Duration = Duration::from_secs(10);

/// Lists providers and identities, links and unlinks.
pub(crate) struct Identities {
    pub(crate) store: SystemStore,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) sign_in: Arc<ProviderSignIn>,
}

#[tonic::async_trait]
impl IdentityService for Identities {
    async fn list_providers(
        &self,
        _request: Request<proto::ListProvidersRequest>,
    ) -> Result<Response<proto::ListProvidersResponse>, Status> {
        let providers = self.sign_in.providers().names();
        let providers = providers.map(|(id, name)| proto::Provider { id: id.to_owned(), name: name.to_owned() });
        Ok(Response::new(proto::ListProvidersResponse { providers: providers.collect() }))
    }

    async fn list_identities(
        &self,
        request: Request<proto::ListIdentitiesRequest>,
    ) -> Result<Response<proto::ListIdentitiesResponse>, Status> {
        let scope = Somebody::of(&request)?.person().scope();
        let rows = self.store.identity_list(&scope).await.map_err(status::store)?;
        let identities = rows.into_iter().map(|row| self.to_proto(row)).collect();
        Ok(Response::new(proto::ListIdentitiesResponse { identities }))
    }

    async fn start_link(
        &self,
        request: Request<proto::StartLinkRequest>,
    ) -> Result<Response<proto::StartLinkResponse>, Status> {
        if request.extensions().get::<FromOurPages>().is_none() {
            return Err(Status::permission_denied(
                "this page is not one of this server's, and only a browser can go to the provider; link it on the account's page",
            ));
        }
        let (source, somebody) = (source_of(&request), Somebody::of(&request)?.clone());
        let headers = request.metadata().clone().into_headers();
        let proto::StartLinkRequest { provider, password, return_path } = request.into_inner();
        let return_path = match return_path.as_str() {
            "" => ReturnPath::default(),
            path => ReturnPath::parse(path)
                .ok_or_else(|| status::invalid("return_path", "must be a path on this server, of at most 512 bytes"))?,
        };
        self.accounts.prove_unless_lately(source, &somebody, "password", &password).await?;
        let scope = somebody.person().scope();
        let begun = self.sign_in.begin_link(&provider, &headers, source, &return_path, &scope).await;
        let begun = begun.map_err(refused)?;
        let mut response = Response::new(proto::StartLinkResponse { redirect_to: begun.redirect_to });
        if let Ok(cookie) = begun.cookie.parse() {
            response.metadata_mut().insert("set-cookie", cookie);
        }
        Ok(response)
    }

    async fn unlink_identity(
        &self,
        request: Request<proto::UnlinkIdentityRequest>,
    ) -> Result<Response<proto::UnlinkIdentityResponse>, Status> {
        let somebody = Somebody::of(&request)?;
        let id = request.get_ref().id.parse().map_err(|error| status::invalid("id", error))?;
        let providers: Vec<String> = self.sign_in.providers().names().map(|(id, _name)| id.to_owned()).collect();
        let scope = somebody.person().scope();
        match self.store.identity_unlink(&scope, &somebody.actor(), id, &providers).await.map_err(status::store)? {
            Unlinked::Yes => Ok(Response::new(proto::UnlinkIdentityResponse {})),
            Unlinked::NoSuchIdentity => Err(status::not_found("identity of yours")),
            Unlinked::LastWayIn => Err(Status::failed_precondition(
                "you could not sign in any more; set a password first, or link another provider",
            )),
        }
    }
}

impl Identities {
    fn to_proto(&self, row: IdentityRow) -> proto::LinkedIdentity {
        let name = self.sign_in.providers().names().find(|(id, _name)| *id == row.provider).map(|(_id, name)| name);
        proto::LinkedIdentity {
            id: row.id.to_string(),
            provider_name: name.unwrap_or_default().to_owned(),
            provider: row.provider,
            email: row.email,
            linked_at_ms: clock::to_ms(row.linked_at),
            last_used_at_ms: clock::to_ms(row.last_used_at),
        }
    }
}

/// Why an attempt could not begin.
fn refused(reason: ReasonCode) -> Status {
    let text = format!("{}: {}", reason.code(), reason.next_step());
    if reason == ReasonCode::SignInProviderUnknown {
        return status::invalid("provider", text);
    }
    if reason == ReasonCode::SignInBusy {
        return status::too_often(RETRY);
    }
    Status::unavailable(text)
}
