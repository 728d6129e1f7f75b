//! The caller and their account.

use super::{Services, page};
use crate::things::{NOW_MS, id};
use kaliun_proto::fleet::v1::account_service_server::AccountService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

/// Who signs in by a code.
pub(crate) const PERSON: &str = "anna@example.org";

fn browsers_only<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("For browsers only."))
}

impl Services {
    /// The person, where the call says that they are; in the first of their organizations when it does not.
    fn person<T>(&self, request: &Request<T>) -> Identity {
        let named = request.metadata().get("kaliun-organization").map(|id| id.to_str().unwrap().to_owned());
        let world = self.world();
        let place = match named {
            Some(id) => world.organizations.iter().find(|one| one.id == id),
            None => world.organizations.first(),
        };
        let place = place.cloned().unwrap_or_default();
        let homes =
            world.own_homes.iter().map(|(id, role)| HomeIdentity { installation_id: id.clone(), role: (*role).into() });
        Identity {
            email: PERSON.to_owned(),
            organization_id: place.id,
            organization_name: place.name,
            role: place.role,
            expires_at_ms: NOW_MS + 30 * 86_400_000,
            account_id: id(70),
            name: world.person_name.clone(),
            homes: homes.collect(),
            has_password: true,
            ..Identity::default()
        }
    }
}

#[tonic::async_trait]
impl AccountService for Services {
    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        self.enter(&request, "who_am_i").await?;
        let identity = if self.is_person(&request) {
            self.person(&request)
        } else {
            Identity {
                organization_id: id(1),
                organization_name: "Home".to_owned(),
                role: Role::Admin.into(),
                expires_at_ms: NOW_MS + 86_400_000,
                api_token_name: "first".to_owned(),
                ..Identity::default()
            }
        };
        Ok(Response::new(WhoAmIResponse { identity: Some(identity) }))
    }

    async fn sign_out(&self, request: Request<SignOutRequest>) -> Result<Response<SignOutResponse>, Status> {
        self.enter(&request, "sign_out").await?;
        let bearer = request.metadata().get("authorization").unwrap().to_str().unwrap();
        self.world().logins.sign_out(bearer.trim_start_matches("Bearer "));
        Ok(Response::new(SignOutResponse {}))
    }

    async fn update_account(
        &self,
        request: Request<UpdateAccountRequest>,
    ) -> Result<Response<UpdateAccountResponse>, Status> {
        self.enter(&request, "update_account").await?;
        self.world().person_name = request.into_inner().name;
        Ok(Response::new(UpdateAccountResponse {}))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        self.enter(&request, "list_sessions").await?;
        let list = request.into_inner();
        let (sessions, next_page_token) = page(&self.world().sessions, list.page_size, &list.page_token)?;
        Ok(Response::new(ListSessionsResponse { sessions, next_page_token }))
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        self.enter(&request, "revoke_session").await?;
        let id = request.into_inner().id;
        let mut world = self.world();
        let before = world.sessions.len();
        world.sessions.retain(|session| session.id != id);
        if world.sessions.len() == before {
            return Err(Status::not_found("There is no such session."));
        }
        Ok(Response::new(RevokeSessionResponse {}))
    }

    async fn revoke_other_sessions(
        &self,
        request: Request<RevokeOtherSessionsRequest>,
    ) -> Result<Response<RevokeOtherSessionsResponse>, Status> {
        self.enter(&request, "revoke_other_sessions").await?;
        let mut world = self.world();
        let before = world.sessions.len();
        world.sessions.retain(|session| session.is_current);
        let revoked = u32::try_from(before - world.sessions.len()).unwrap();
        Ok(Response::new(RevokeOtherSessionsResponse { revoked }))
    }

    async fn export_account(
        &self,
        request: Request<ExportAccountRequest>,
    ) -> Result<Response<ExportAccountResponse>, Status> {
        self.enter(&request, "export_account").await?;
        let json = format!("{{\"account\":{{\"email\":\"{PERSON}\"}},\"records\":[]}}").into_bytes();
        Ok(Response::new(ExportAccountResponse { json }))
    }

    async fn sign_up(&self, _: Request<SignUpRequest>) -> Result<Response<SignUpResponse>, Status> {
        browsers_only()
    }

    async fn confirm_sign_up(
        &self,
        _: Request<ConfirmSignUpRequest>,
    ) -> Result<Response<ConfirmSignUpResponse>, Status> {
        browsers_only()
    }

    async fn sign_in(&self, _: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        browsers_only()
    }

    async fn request_password_reset(
        &self,
        _: Request<RequestPasswordResetRequest>,
    ) -> Result<Response<RequestPasswordResetResponse>, Status> {
        browsers_only()
    }

    async fn reset_password(
        &self,
        _: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        browsers_only()
    }

    async fn change_password(
        &self,
        _: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        browsers_only()
    }

    async fn request_address_change(
        &self,
        _: Request<RequestAddressChangeRequest>,
    ) -> Result<Response<RequestAddressChangeResponse>, Status> {
        browsers_only()
    }

    async fn confirm_address_change(
        &self,
        _: Request<ConfirmAddressChangeRequest>,
    ) -> Result<Response<ConfirmAddressChangeResponse>, Status> {
        browsers_only()
    }

    async fn delete_account(
        &self,
        _: Request<DeleteAccountRequest>,
    ) -> Result<Response<DeleteAccountResponse>, Status> {
        browsers_only()
    }
}
