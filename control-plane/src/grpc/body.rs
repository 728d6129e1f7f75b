//! Reading what a request brings: so much of each, and so many at once, so that bodies cannot fill the memory.
//!
//! All our calls begin with one message, which is read whole before the handler. Only what is admitted is read: until then a body
//! waits in its connection's window.

use crate::grpc::auth::Credential;
use crate::grpc::status;
use crate::listen::turns::{Turn, TurnLimits, Turns};
use axum::body::Body;
use axum::extract::Request;
use http_body_util::{BodyExt, Limited};
use kaliun_store::Principal;
use kaliun_types::id::{AccountId, ApiTokenId, OrganizationId};
use std::time::Duration;
use tokio::sync::Semaphore;
use tonic::Status;

/// How large a body may be, bytes, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    most: usize,
    within: Duration,
}

/// What somebody whom nobody knows may send: an address and a password.
pub(crate) const STRANGER: BodyLimits = BodyLimits { most: 4 * 1024, within: Duration::from_secs(3) };
/// What nearly every call of somebody known has room in: ids, a name, a selector, a place in a list.
const SMALL: BodyLimits = BodyLimits { most: 16 * 1024, within: Duration::from_secs(10) };
/// 32 subscriptions, each with a selector and a place in a list, or all labels of a device.
const LARGE: BodyLimits = BodyLimits { most: 256 * 1024, within: Duration::from_secs(30) };

/// The calls that may be large.
const LARGE_CALLS: [&str; 3] = [
    "/kaliun.fleet.v1.WatchService/Watch",
    "/kaliun.fleet.v1.DeviceService/UpdateDevice",
    "/kaliun.fleet.v1.JoinTokenService/CreateJoinToken",
];

/// 16 MiB of small ones. An organization has a part of them, and one token or browser a part of that: more calls at once than its
/// programs make. What waits is bounded too, and brings nothing of its body with it.
const SMALL_OF_ORGANIZATION: TurnLimits = TurnLimits { in_all: 1_024, for_each: 256, members_for_each: 1_024 };
const SMALL_OF_CREDENTIAL: TurnLimits =
    TurnLimits { in_all: Semaphore::MAX_PERMITS, for_each: 64, members_for_each: 512 };
/// 16 MiB of large ones.
const LARGE_OF_ORGANIZATION: TurnLimits = TurnLimits { in_all: 64, for_each: 16, members_for_each: 256 };
const LARGE_OF_CREDENTIAL: TurnLimits =
    TurnLimits { in_all: Semaphore::MAX_PERMITS, for_each: 4, members_for_each: 64 };

/// Longest wait for a turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// When somebody shall come back who got none.
const TURN_RETRY: Duration = Duration::from_secs(1);

/// Who shares room with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// All who act in an organization.
    Organization(OrganizationId),
    /// A person who belongs to none.
    Account(AccountId),
    /// A token whose organization the call does not name.
    ApiToken(ApiTokenId),
}

impl Whose {
    /// Of somebody who acts in no organization.
    pub(super) fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Person(person) => Self::Account(person.account),
            Principal::ApiToken { id, .. } => Self::ApiToken(*id),
        }
    }
}

/// Room for the bodies of people who are known.
pub(super) struct Bodies {
    small: Room,
    large: Room,
}

struct Room {
    limits: BodyLimits,
    credentials: Turns<Credential>,
    organizations: Turns<Whose>,
}

/// Room for one body, given back when it is dropped.
pub(super) struct BodyPlace {
    pub(super) limits: BodyLimits,
    _of_organization: Turn<Whose>,
    _of_credential: Turn<Credential>,
}

impl Bodies {
    pub(super) fn new() -> Self {
        let room = |limits, of_organization, of_credential| Room {
            limits,
            credentials: Turns::new(of_credential),
            organizations: Turns::new(of_organization),
        };
        Self {
            small: room(SMALL, SMALL_OF_ORGANIZATION, SMALL_OF_CREDENTIAL),
            large: room(LARGE, LARGE_OF_ORGANIZATION, LARGE_OF_CREDENTIAL),
        }
    }

    /// Waits for room for a call's body.
    pub(super) async fn take(&self, path: &str, whose: Whose, credential: Credential) -> Result<BodyPlace, Status> {
        let room = if LARGE_CALLS.contains(&path) { &self.large } else { &self.small };
        let turns = async {
            // The credential's own first: who waits for that must not hold up its organization.
            let of_credential = room.credentials.take(credential).await?;
            let of_organization = room.organizations.take(whose).await?;
            Some(BodyPlace { limits: room.limits, _of_organization: of_organization, _of_credential: of_credential })
        };
        let turn = tokio::time::timeout(TURN_TIMEOUT, turns).await.ok().flatten();
        turn.ok_or_else(|| status::busy(TURN_RETRY))
    }
}

/// Reads a request's body whole.
pub(crate) async fn with_whole_body(request: Request, limits: BodyLimits) -> Result<Request, Status> {
    let (head, body) = request.into_parts();
    match tokio::time::timeout(limits.within, Limited::new(body, limits.most).collect()).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Body::from(body.to_bytes()))),
        Ok(Err(_)) | Err(_) => Err(Status::invalid_argument(format!(
            "the request is larger than {} KiB, or was not sent within {} s; send less",
            limits.most / 1024,
            limits.within.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use kaliun_domain::authorization::rule;

    fn token(number: u8) -> Credential {
        Credential::ApiToken([number; 32])
    }

    #[test]
    fn the_calls_that_may_be_large_are_there() {
        for path in LARGE_CALLS {
            assert!(rule(path).is_some(), "{path}");
        }
    }

    #[tokio::test]
    async fn a_credential_fills_its_own_room_and_an_organization_its_own() {
        let bodies = Bodies::new();
        let (one, other) = (Whose::Organization(OrganizationId::new()), Whose::Account(AccountId::new()));
        let take = |organization, number| bodies.take(LARGE_CALLS[0], organization, token(number)).now_or_never();
        let is_given = |taken: Option<Result<BodyPlace, Status>>| taken.and_then(Result::ok);
        let of_first: Vec<_> = (0..4).map_while(|_| is_given(take(one, 1))).collect();
        assert_eq!(of_first.len(), 4);
        assert!(take(one, 1).is_none(), "the same credential waits");
        let of_others: Vec<_> = (0..12).map_while(|call| is_given(take(one, 2 + call / 4))).collect();
        assert_eq!(of_others.len(), 12);
        assert!(take(one, 9).is_none(), "the organization has its share");
        assert!(is_given(take(other, 9)).is_some(), "another one has its own");
        let small = bodies.take("/kaliun.fleet.v1.DeviceService/GetDevice", one, token(1)).now_or_never();
        assert_eq!(is_given(small).map(|place| place.limits.most), Some(16 * 1024), "small calls go on");
        drop((of_first, of_others));
        assert!(is_given(take(one, 1)).is_some());
    }
}
