//! Support's way into homes, and people who asked for an account.

use super::{PERSON, Services, page};
use crate::things::{NOW_MS, id};
use kaliun_proto::fleet::v1::consent_service_server::ConsentService;
use kaliun_proto::fleet::v1::sign_up_service_server::SignUpService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

impl Services {
    fn change_consent(&self, id: &str, from: &[ConsentState], to: ConsentState) -> Result<Consent, Status> {
        let mut world = self.world();
        let found = world.consents.iter_mut().find(|consent| consent.id == id);
        let consent = found.ok_or_else(|| Status::not_found("There is no such consent."))?;
        if !from.contains(&consent.state()) {
            return Err(Status::failed_precondition("It was decided."));
        }
        consent.state = to.into();
        consent.decided_at_ms = NOW_MS;
        consent.decided_by = PERSON.to_owned();
        consent.until_ms = match to {
            ConsentState::Granted => NOW_MS + i64::from(consent.duration_seconds) * 1_000,
            ConsentState::Ended => NOW_MS,
            ConsentState::Unspecified | ConsentState::Waiting | ConsentState::Denied | ConsentState::Expired => 0,
        };
        Ok(consent.clone())
    }
}

#[tonic::async_trait]
impl ConsentService for Services {
    async fn request_consent(
        &self,
        request: Request<RequestConsentRequest>,
    ) -> Result<Response<RequestConsentResponse>, Status> {
        let wanted = request.get_ref().clone();
        self.enter(&request, format!("request_consent: {} s", wanted.duration_seconds)).await?;
        let mut world = self.world();
        if world.consents.iter().any(|consent| matches!(consent.state(), ConsentState::Waiting | ConsentState::Granted))
        {
            return Err(Status::already_exists("You have one there."));
        }
        let home = world.installations.iter().find(|home| home.id == wanted.installation_id).cloned().unwrap();
        let consent = Consent {
            id: id(60),
            installation_id: home.id,
            installation_name: home.name,
            asked_by: PERSON.to_owned(),
            asked_by_name: "Anna".to_owned(),
            reason: wanted.reason,
            duration_seconds: wanted.duration_seconds,
            state: ConsentState::Waiting.into(),
            asked_at_ms: NOW_MS,
            until_ms: NOW_MS + 3 * 86_400_000,
            ..Consent::default()
        };
        world.consents.insert(0, consent.clone());
        Ok(Response::new(RequestConsentResponse { consent: Some(consent) }))
    }

    async fn list_consents(
        &self,
        request: Request<ListConsentsRequest>,
    ) -> Result<Response<ListConsentsResponse>, Status> {
        self.enter(&request, format!("list_consents: only open {}", request.get_ref().only_open)).await?;
        let list = request.into_inner();
        // Somebody decides while it is waited for.
        let next = self.world().decisions.pop_front();
        match next {
            Some(Err(status)) => return Err(status),
            Some(Ok(state)) if state != ConsentState::Waiting => {
                self.change_consent(&id(60), &[ConsentState::Waiting], state)?;
            }
            Some(Ok(_)) | None => {}
        }
        let world = self.world();
        let is_open = |consent: &Consent| matches!(consent.state(), ConsentState::Waiting | ConsentState::Granted);
        let matching: Vec<Consent> =
            world.consents.iter().filter(|consent| !list.only_open || is_open(consent)).cloned().collect();
        let (consents, next_page_token) = page(&matching, list.page_size, &list.page_token)?;
        Ok(Response::new(ListConsentsResponse { consents, next_page_token }))
    }

    async fn decide_consent(
        &self,
        request: Request<DecideConsentRequest>,
    ) -> Result<Response<DecideConsentResponse>, Status> {
        self.enter(&request, format!("decide_consent: {}", request.get_ref().approve)).await?;
        let wanted = request.into_inner();
        let to = if wanted.approve { ConsentState::Granted } else { ConsentState::Denied };
        let consent = self.change_consent(&wanted.id, &[ConsentState::Waiting], to)?;
        Ok(Response::new(DecideConsentResponse { consent: Some(consent) }))
    }

    async fn end_consent(&self, request: Request<EndConsentRequest>) -> Result<Response<EndConsentResponse>, Status> {
        self.enter(&request, "end_consent").await?;
        let from = [ConsentState::Granted, ConsentState::Waiting];
        let consent = self.change_consent(&request.into_inner().id, &from, ConsentState::Ended)?;
        Ok(Response::new(EndConsentResponse { consent: Some(consent) }))
    }
}

#[tonic::async_trait]
impl SignUpService for Services {
    async fn list_sign_ups(
        &self,
        request: Request<ListSignUpsRequest>,
    ) -> Result<Response<ListSignUpsResponse>, Status> {
        self.enter(&request, "list_sign_ups").await?;
        let list = request.into_inner();
        let (sign_ups, next_page_token) = page(&self.world().sign_ups, list.page_size, &list.page_token)?;
        Ok(Response::new(ListSignUpsResponse { sign_ups, next_page_token }))
    }

    async fn approve_sign_up(
        &self,
        request: Request<ApproveSignUpRequest>,
    ) -> Result<Response<ApproveSignUpResponse>, Status> {
        self.enter(&request, format!("approve_sign_up: {}", request.get_ref().id)).await?;
        let wanted = request.into_inner().id;
        self.world().sign_ups.retain(|entry| entry.id != wanted);
        Ok(Response::new(ApproveSignUpResponse { account_id: id(71) }))
    }

    async fn deny_sign_up(&self, request: Request<DenySignUpRequest>) -> Result<Response<DenySignUpResponse>, Status> {
        self.enter(&request, format!("deny_sign_up: {}", request.get_ref().id)).await?;
        let wanted = request.into_inner().id;
        self.world().sign_ups.retain(|entry| entry.id != wanted);
        Ok(Response::new(DenySignUpResponse {}))
    }
}
