//! What happens when somebody comes back from another's identity provider: who they are here, if anybody, and never on the provider's word
//! alone an account that was somebody's before.

use kaliun_types::id::AccountId;
use kaliun_types::reason::ReasonCode;

/// Most identities that are linked with one account: one of each provider that a server can have.
pub const IDENTITIES_MAX: usize = 16;

/// What a provider says about somebody's mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Nothing.
    Missing,
    /// Something that we do not take its word for.
    Unconfirmed,
    /// That it is theirs, and we take its word for that.
    Confirmed,
}

/// Why a stranger may have an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Welcome {
    /// Anybody may.
    pub everybody: bool,
    /// Somebody invited their address.
    pub invited: bool,
    /// An organization has verified the domain of their address.
    pub of_domain: bool,
}

/// Somebody who came back to sign in, and what is known of them here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The account that this identity is linked with.
    pub linked: Option<AccountId>,
    /// What the provider says about their address.
    pub address: Address,
    /// The account that has this address.
    pub address_owner: Option<AccountId>,
    /// Why they may have an account, if they have none.
    pub welcome: Welcome,
}

/// What becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// They are this account's person.
    SignIn(AccountId),
    /// They get an account with this address, linked with this identity.
    NewAccount,
    /// Nobody is signed in.
    Refuse(ReasonCode),
}

impl Arrival {
    /// Decides.
    ///
    /// An account that has the address already is never taken over by it: mail providers give addresses to others after some time, and an
    /// identity stays. Its person signs in as before, once, and links the identity then. What is refused to an address that is not
    /// confirmed does not depend on whether an account has it, so nobody learns that.
    #[must_use]
    pub fn decide(&self) -> Admission {
        if let Some(account) = self.linked {
            return Admission::SignIn(account);
        }
        match (self.address, self.address_owner) {
            (Address::Missing, _) => Admission::Refuse(ReasonCode::SignInAddressMissing),
            (Address::Unconfirmed, _) => Admission::Refuse(ReasonCode::SignInAddressUnconfirmed),
            (Address::Confirmed, Some(_)) => Admission::Refuse(ReasonCode::SignInLinkFirst),
            (Address::Confirmed, None) if self.welcome.is_any() => Admission::NewAccount,
            (Address::Confirmed, None) => Admission::Refuse(ReasonCode::SignInNotInvited),
        }
    }
}

impl Welcome {
    const fn is_any(self) -> bool {
        self.everybody || self.invited || self.of_domain
    }
}

/// What becomes of an identity that somebody who is signed in wants to link with their account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// It is linked from now on.
    Link,
    /// It is linked already, with this account.
    Linked,
    /// It is not linked.
    Refuse(ReasonCode),
}

/// Decides about an identity that is linked with `linked`, for the account `wanted`, which has `identities` of them, one of this provider or
/// none.
#[must_use]
pub fn link(wanted: AccountId, linked: Option<AccountId>, has_provider: bool, identities: usize) -> Linking {
    match linked {
        Some(account) if account == wanted => Linking::Linked,
        Some(_) => Linking::Refuse(ReasonCode::SignInIdentityTaken),
        None if has_provider => Linking::Refuse(ReasonCode::SignInProviderLinked),
        None if identities >= IDENTITIES_MAX => Linking::Refuse(ReasonCode::SignInProviderLinked),
        None => Linking::Link,
    }
}

/// Whether an account that has a password or not, and so many identities, can do without one of these: there has to be another way in.
/// Identities of providers that the server does not have any more let nobody in.
#[must_use]
pub const fn can_unlink(has_password: bool, other_usable_identities: usize) -> bool {
    has_password || other_usable_identities > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u32) -> AccountId {
        format!("00000000-0000-0000-0000-{number:012x}").parse().unwrap()
    }

    #[test]
    fn an_arrival_is_decided_by_what_is_known_of_it() {
        use Address::{Confirmed, Missing, Unconfirmed};
        let none = Welcome::default();
        let everybody = Welcome { everybody: true, ..none };
        let check = |linked: Option<u32>, address, address_owner: Option<u32>, welcome, expected| {
            let (linked, address_owner) = (linked.map(account), address_owner.map(account));
            let arrival = Arrival { linked, address, address_owner, welcome };
            assert_eq!(arrival.decide(), expected, "{arrival:?}");
        };
        let refuse = Admission::Refuse;
        // Who is linked is known, whatever became of the address and whoever may come in now.
        check(Some(1), Missing, None, none, Admission::SignIn(account(1)));
        check(Some(1), Unconfirmed, Some(2), none, Admission::SignIn(account(1)));
        check(Some(1), Confirmed, Some(2), everybody, Admission::SignIn(account(1)));
        // An account is not taken over by its address.
        check(None, Confirmed, Some(2), everybody, refuse(ReasonCode::SignInLinkFirst));
        check(None, Confirmed, Some(2), none, refuse(ReasonCode::SignInLinkFirst));
        // Whoever cannot show an address learns nothing about it, and gets none.
        check(None, Unconfirmed, Some(2), everybody, refuse(ReasonCode::SignInAddressUnconfirmed));
        check(None, Unconfirmed, None, everybody, refuse(ReasonCode::SignInAddressUnconfirmed));
        check(None, Missing, None, everybody, refuse(ReasonCode::SignInAddressMissing));
        // A stranger is let in by any one reason, and by none not.
        check(None, Confirmed, None, none, refuse(ReasonCode::SignInNotInvited));
        check(None, Confirmed, None, everybody, Admission::NewAccount);
        check(None, Confirmed, None, Welcome { invited: true, ..none }, Admission::NewAccount);
        check(None, Confirmed, None, Welcome { of_domain: true, ..none }, Admission::NewAccount);
    }

    #[test]
    fn an_identity_is_of_one_account() {
        let check = |linked: Option<u32>, has_provider, identities, expected| {
            let found = link(account(1), linked.map(account), has_provider, identities);
            assert_eq!(found, expected, "{linked:?} {has_provider} {identities}");
        };
        check(None, false, 0, Linking::Link);
        check(None, false, IDENTITIES_MAX - 1, Linking::Link);
        check(None, false, IDENTITIES_MAX, Linking::Refuse(ReasonCode::SignInProviderLinked));
        check(None, true, 1, Linking::Refuse(ReasonCode::SignInProviderLinked));
        check(Some(1), true, 1, Linking::Linked);
        check(Some(2), false, 0, Linking::Refuse(ReasonCode::SignInIdentityTaken));
    }

    #[test]
    fn the_last_way_in_stays() {
        for (has_password, others, expected) in [(true, 0, true), (false, 0, false), (false, 1, true), (true, 1, true)]
        {
            assert_eq!(can_unlink(has_password, others), expected, "{has_password} {others}");
        }
    }
}
