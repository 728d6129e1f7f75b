//! Who may call what they call, as handlers see it.

use super::credential::Credential;
use crate::rights::Holder;
use kaliun_domain::authorization::Grants;
use kaliun_store::{
    Actor, ActorKind, Granted, OrganizationScope, Person, Place, Principal, SessionKind, SignedIn, StoreError,
    SystemStore,
};
use kaliun_types::id::OrganizationId;
use std::net::IpAddr;
use tonic::Status;

/// Whoever is signed in: what every call of theirs has in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Whoever {
    /// Who and where.
    pub(crate) signed_in: SignedIn,
    /// The request's id.
    pub(crate) request_id: String,
    /// Where they are, as far as it is known.
    pub(crate) source: Option<IpAddr>,
    /// What was presented.
    pub(crate) credential: Credential,
}

/// Somebody inside an organization, with the right that the call takes.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    whoever: Whoever,
    place: Place,
    granted: Granted,
    /// What the call takes; asked about again while a watch lasts.
    grants: Grants,
}

/// A person, about what is theirs.
#[derive(Debug, Clone)]
pub(crate) struct Somebody {
    whoever: Whoever,
    person: Person,
}

/// What became of a right that somebody had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// It is what it was.
    Same,
    /// There is another one: it reaches elsewhere, or less far.
    Other,
    /// There is none any more.
    Ended,
}

fn missing() -> Status {
    Status::unauthenticated("sign in first")
}

impl Whoever {
    /// The caller of a request. The check before the handler put it there.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        request.extensions().get::<Self>().ok_or_else(missing)
    }

    /// Who it is, for the audit.
    pub(crate) fn actor(&self) -> Actor {
        let (kind, name) = match &self.signed_in.principal {
            Principal::Person(person) => (ActorKind::Person(person.account), person.email.clone()),
            Principal::ApiToken { id, name } => (ActorKind::ApiToken(*id), format!("token:{name}")),
        };
        Actor { kind, name, source: self.source, request_id: self.request_id.clone(), consents: Vec::new() }
    }
}

impl Caller {
    pub(super) fn new(whoever: Whoever, place: Place, granted: Granted, grants: Grants) -> Self {
        Self { whoever, place, granted, grants }
    }

    /// The caller of a request. The check before the handler put it there.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        request.extensions().get::<Self>().ok_or_else(missing)
    }

    /// The right that follows.
    pub(crate) fn scope(&self) -> &OrganizationScope {
        &self.granted.scope
    }

    /// What they are in the organization.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What was presented.
    pub(crate) fn credential(&self) -> Credential {
        self.whoever.credential
    }

    /// Whose rights it has.
    pub(crate) fn holder(&self) -> Holder {
        Holder::of(&self.whoever.signed_in.principal)
    }

    /// The person; none for a token.
    pub(crate) fn person(&self) -> Option<&Person> {
        match &self.whoever.signed_in.principal {
            Principal::Person(person) => Some(person),
            Principal::ApiToken { .. } => None,
        }
    }

    /// The person, for what no token may do. The check before the handler lets none through.
    pub(crate) fn as_person(&self) -> Result<&Person, Status> {
        self.person().ok_or_else(|| {
            Status::permission_denied(
                "this call is about what a person is, and an API token is nobody's; sign in with `fleetctl login`",
            )
        })
    }

    /// Who it is, for the audit, and by which consents they act.
    pub(crate) fn actor(&self) -> Actor {
        Actor { consents: self.granted.consents.clone(), ..self.whoever.actor() }
    }

    /// What the same credential gives now.
    pub(crate) async fn right_now(&self, store: &SystemStore) -> Result<Right, Status> {
        let organization = self.granted.scope.organization();
        let now = authenticate(store, self.whoever.credential, Some(organization)).await;
        let Some(now) = now.map_err(crate::grpc::status::store)? else { return Ok(Right::Ended) };
        let granted = now.place.and_then(|place| place.grant(self.grants));
        Ok(match granted {
            Some(granted) if granted.scope == self.granted.scope && granted.consents == self.granted.consents => {
                Right::Same
            }
            Some(_) | None => Right::Other,
        })
    }
}

impl Somebody {
    pub(super) fn new(whoever: Whoever, person: Person) -> Self {
        Self { whoever, person }
    }

    /// The person who calls. The check before the handler put it there.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        request.extensions().get::<Self>().ok_or_else(missing)
    }

    /// Who they are.
    pub(crate) fn person(&self) -> &Person {
        &self.person
    }

    /// Who it is, for the audit.
    pub(crate) fn actor(&self) -> Actor {
        self.whoever.actor()
    }
}

/// Asks who holds a credential, and what they are in the organization that they want to act in, or where they have been longest.
pub(super) async fn authenticate(
    store: &SystemStore,
    credential: Credential,
    wanted: Option<OrganizationId>,
) -> Result<Option<SignedIn>, StoreError> {
    match credential {
        Credential::ApiToken(hash) => {
            // A token is of one organization, whatever the call says; another one does not exist for it.
            let found = store.api_token_authenticate(&hash).await?;
            Ok(found.map(|mut found| {
                found.place = found.place.filter(|place| wanted.is_none_or(|wanted| wanted == place.organization));
                found
            }))
        }
        Credential::AccessToken(hash) => store.session_authenticate(SessionKind::CommandLine, &hash, wanted).await,
        Credential::BrowserSession(hash) => store.session_authenticate(SessionKind::Browser, &hash, wanted).await,
    }
}
