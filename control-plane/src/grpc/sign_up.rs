//! People who wait for an account, for admins of the server.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::sign_up_service_server::SignUpService;
use kaliun_store::{SignUpConfirmed, SystemStore};
use tonic::{Request, Response, Status};

/// Lists them, and says yes or no.
pub(crate) struct SignUps {
    pub(crate) store: SystemStore,
    pub(crate) seal: PageSeal,
}

#[tonic::async_trait]
impl SignUpService for SignUps {
    async fn list_sign_ups(
        &self,
        request: Request<proto::ListSignUpsRequest>,
    ) -> Result<Response<proto::ListSignUpsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let size = page::size(request.get_ref().page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "sign-ups");
        let after = list.position(&request.get_ref().page_token)?.and_then(|id| id.parse().ok());
        let mut rows = self.store.sign_up_list_page(caller.scope(), after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.id.to_string()));
        let sign_ups = rows
            .into_iter()
            .map(|row| proto::SignUpEntry {
                id: row.id.to_string(),
                email: row.email,
                name: row.name,
                source_address: row.source_address,
                created_at_ms: clock::to_ms(row.created_at),
                expires_at_ms: clock::to_ms(row.expires_at),
            })
            .collect();
        Ok(Response::new(proto::ListSignUpsResponse { sign_ups, next_page_token }))
    }

    async fn approve_sign_up(
        &self,
        request: Request<proto::ApproveSignUpRequest>,
    ) -> Result<Response<proto::ApproveSignUpResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.get_ref().id.parse().map_err(|error| status::invalid("id", error))?;
        match self.store.sign_up_approve(caller.scope(), &caller.actor(), id).await.map_err(status::store)? {
            SignUpConfirmed::Account(account) => {
                Ok(Response::new(proto::ApproveSignUpResponse { account_id: account.to_string() }))
            }
            SignUpConfirmed::NoSuchSignUp => Err(status::not_found("person who waits")),
            SignUpConfirmed::AddressTaken => Err(Status::already_exists(
                "the address has an account by now; deny this request, and the person signs in with their password",
            )),
        }
    }

    async fn deny_sign_up(
        &self,
        request: Request<proto::DenySignUpRequest>,
    ) -> Result<Response<proto::DenySignUpResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.get_ref().id.parse().map_err(|error| status::invalid("id", error))?;
        if self.store.sign_up_deny(caller.scope(), &caller.actor(), id).await.map_err(status::store)? {
            Ok(Response::new(proto::DenySignUpResponse {}))
        } else {
            Err(status::not_found("person who waits"))
        }
    }
}
