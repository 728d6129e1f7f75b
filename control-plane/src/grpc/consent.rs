//! Support's way into a home.

use super::auth::Caller;
use super::convert::consent::{consent_to_proto, duration, reason};
use super::page::{self, PageSeal};
use super::status;
use crate::mail::Outlet;
use crate::rights::Rights;
use kaliun_domain::consent::{ASKS_A_DAY, ConsentState};
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::consent_service_server::ConsentService;
use kaliun_store::{ConsentDecided, ConsentEnded, ConsentRequested, ConsentRow, ConsentsSeen, NewConsent, SystemStore};
use kaliun_types::id::InstallationId;
use tonic::{Request, Response, Status};

/// Asks owners, and takes their answers.
pub(crate) struct Consents {
    pub(crate) store: SystemStore,
    pub(crate) seal: PageSeal,
    pub(crate) rights: Rights,
    /// Without mail people see it on the home's page alone.
    pub(crate) mail: Outlet,
}

/// What somebody sees of consents: operators all, support their own, people of homes those of their homes.
fn seen_by(caller: &Caller) -> ConsentsSeen {
    let standing = &caller.place().standing;
    ConsentsSeen {
        all: standing.role.is_some_and(|role| role >= Role::Operator),
        account: caller.person().map(|person| person.account),
        homes: standing.homes.iter().map(|(home, _)| *home).collect(),
    }
}

fn owned_by(caller: &Caller) -> Vec<InstallationId> {
    let homes = caller.place().standing.homes.iter();
    homes.filter(|(_, role)| *role == HomeRole::Owner).map(|(home, _)| *home).collect()
}

fn over(state: ConsentState) -> Status {
    Status::failed_precondition(match state {
        ConsentState::Waiting => "no owner has decided yet",
        ConsentState::Granted => "an owner said yes already; end it instead, if it shall not hold any more",
        ConsentState::Denied => "an owner said no already; support may ask again",
        ConsentState::Ended => "it is over already; support may ask again",
        ConsentState::Expired => "it took too long, or was taken back; support may ask again",
    })
}

impl Consents {
    /// Whatever the person has open that rests on a consent is told that it changed.
    async fn told(&self, row: &ConsentRow) {
        if let Some(account) = row.account {
            self.rights.changed(account).await;
        }
    }
}

#[tonic::async_trait]
impl ConsentService for Consents {
    async fn request_consent(
        &self,
        request: Request<proto::RequestConsentRequest>,
    ) -> Result<Response<proto::RequestConsentResponse>, Status> {
        let (caller, message) = (Caller::of(&request)?, request.get_ref());
        let person = caller.as_person()?;
        let new = NewConsent {
            account: person.account,
            email: &person.email,
            name: &person.name,
            home: message.installation_id.parse().map_err(|error| status::invalid("installation_id", error))?,
            reason: reason(&message.reason)?,
            duration: duration(message.duration_seconds)?,
            by_mail: self.mail.is_configured(),
        };
        if caller.place().standing.role.is_some_and(|role| role > Role::Support) {
            return Err(Status::failed_precondition(
                "your role reaches this home without a consent; nothing is to be asked",
            ));
        }
        match self.store.consent_request(caller.scope(), &caller.actor(), &new).await.map_err(status::store)? {
            ConsentRequested::Yes(row) => {
                self.mail.wake();
                Ok(Response::new(proto::RequestConsentResponse { consent: Some(consent_to_proto(*row)) }))
            }
            ConsentRequested::NoSuchHome => Err(status::not_found("home")),
            ConsentRequested::NoOwner => Err(Status::failed_precondition(
                "this home has no owner who could say yes; ask an admin of the organization to invite one",
            )),
            ConsentRequested::HasOne => Err(Status::already_exists(
                "you have a consent for this home that waits or holds; see the list of yours",
            )),
            ConsentRequested::EnoughForToday => Err(Status::resource_exhausted(format!(
                "you have asked {ASKS_A_DAY} times within a day for this home; ask again tomorrow, or call the owner"
            ))),
        }
    }

    async fn list_consents(
        &self,
        request: Request<proto::ListConsentsRequest>,
    ) -> Result<Response<proto::ListConsentsResponse>, Status> {
        let (caller, message) = (Caller::of(&request)?, request.get_ref());
        let size = page::size(message.page_size, page::DEFAULT)?;
        let question = if message.only_open { "open consents" } else { "consents" };
        let list = self.seal.list(caller.scope(), question);
        let after = list.position(&message.page_token)?.and_then(|id| id.parse().ok());
        let (scope, seen) = (caller.scope(), seen_by(caller));
        let rows = self.store.consent_list_page(scope, &seen, message.only_open, after, size + 1).await;
        let mut rows = rows.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.id.to_string()));
        let consents = rows.into_iter().map(consent_to_proto).collect();
        Ok(Response::new(proto::ListConsentsResponse { consents, next_page_token }))
    }

    async fn decide_consent(
        &self,
        request: Request<proto::DecideConsentRequest>,
    ) -> Result<Response<proto::DecideConsentResponse>, Status> {
        let (caller, message) = (Caller::of(&request)?, request.get_ref());
        let id = message.id.parse().map_err(|error| status::invalid("id", error))?;
        let (scope, actor) = (caller.scope(), caller.actor());
        let decided = self.store.consent_decide(scope, &actor, id, message.approve, self.mail.is_configured()).await;
        match decided.map_err(status::store)? {
            ConsentDecided::Yes(row) => {
                self.mail.wake();
                self.told(&row).await;
                Ok(Response::new(proto::DecideConsentResponse { consent: Some(consent_to_proto(*row)) }))
            }
            ConsentDecided::NoSuchConsent => Err(status::not_found("consent")),
            ConsentDecided::NotWaiting(state) => Err(over(state)),
        }
    }

    async fn end_consent(
        &self,
        request: Request<proto::EndConsentRequest>,
    ) -> Result<Response<proto::EndConsentResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.get_ref().id.parse().map_err(|error| status::invalid("id", error))?;
        let (seen, owned) = (seen_by(caller), owned_by(caller));
        let ended = self.store.consent_end(caller.scope(), &caller.actor(), id, &seen, &owned).await;
        match ended.map_err(status::store)? {
            ConsentEnded::Yes(row) => {
                self.told(&row).await;
                Ok(Response::new(proto::EndConsentResponse { consent: Some(consent_to_proto(*row)) }))
            }
            ConsentEnded::NoSuchConsent => Err(status::not_found("consent")),
            ConsentEnded::NotTheirs => Err(Status::permission_denied(
                "an owner of the home ends a consent, or whoever has it; ask one of them, or take the role support from the person",
            )),
            ConsentEnded::StillWaits => Err(Status::failed_precondition("it does not hold yet; say no to it instead")),
            ConsentEnded::NotHolding(state) => Err(over(state)),
        }
    }
}
