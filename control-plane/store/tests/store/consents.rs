//! Consents: asked for, given, and over by themselves.

use crate::people::Human;
use crate::support::{Fixture, actor};
use anyhow::{Context, Result, bail};
use kaliun_domain::authorization::Grants;
use kaliun_domain::consent::ConsentState;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::standing::Reach;
use kaliun_domain::time_zone::TimeZoneName;
use kaliun_store::{
    ConsentDecided, ConsentEnded, ConsentRequested, ConsentRow, ConsentsSeen, MemberChanged, NewConsent, OwnerlessHome,
    StoreError,
};
use kaliun_types::id::{ConsentId, InstallationId};
use std::time::Duration;

const ASKS: Grants = Grants::of(Role::Support);
const OWNS: Grants = Grants::in_home(HomeRole::Owner);
const ACTS: Grants = Grants::of(Role::Operator).or_in_home(HomeRole::Installer).or_by_consent();

/// Sam of support, and Ada, whose home it is.
struct Case {
    fixture: Fixture,
    home: InstallationId,
    sam: Human,
    ada: Human,
}

impl Case {
    async fn new() -> Result<Self> {
        let fixture = Fixture::new().await?;
        let home = fixture.first_home().await?;
        let sam = fixture.member(1, "sam@example.org", Role::Support).await?;
        let ada = fixture.lives_in(2, "ada@example.org", home, HomeRole::Owner).await?;
        Ok(Self { fixture, home, sam, ada })
    }

    async fn ask_as(&self, who: &Human, by_mail: bool) -> Result<ConsentRequested> {
        let scope = who.right(&self.fixture, ASKS).await?;
        let new = NewConsent {
            account: who.account(),
            email: &who.person.email,
            name: &who.person.name,
            home: self.home,
            reason: "The heating is off",
            duration: Duration::from_secs(3600),
            by_mail,
        };
        Ok(self.fixture.store.system.consent_request(&scope, &who.actor(), &new).await?)
    }

    async fn asked(&self) -> Result<ConsentRow> {
        match self.ask_as(&self.sam, false).await? {
            ConsentRequested::Yes(row) => Ok(*row),
            other @ (ConsentRequested::NoSuchHome
            | ConsentRequested::NoOwner
            | ConsentRequested::HasOne
            | ConsentRequested::EnoughForToday) => bail!("{other:?}"),
        }
    }

    async fn decide(&self, id: ConsentId, approve: bool) -> Result<ConsentDecided, StoreError> {
        let scope = self.ada.right(&self.fixture, OWNS).await.expect("Ada owns the home");
        self.fixture.store.system.consent_decide(&scope, &self.ada.actor(), id, approve, true).await
    }

    async fn end_as(&self, who: &Human, id: ConsentId, owned: &[InstallationId]) -> Result<ConsentEnded> {
        let scope = who.right(&self.fixture, Grants::of(Role::Support).or_in_home(HomeRole::Owner)).await?;
        let seen = self.seen(who).await?;
        Ok(self.fixture.store.system.consent_end(&scope, &who.actor(), id, &seen, owned).await?)
    }

    async fn seen(&self, who: &Human) -> Result<ConsentsSeen> {
        let standing = who.place(&self.fixture, self.fixture.first.organization()).await?.context("in")?.standing;
        Ok(ConsentsSeen {
            all: standing.role.is_some_and(|role| role >= Role::Operator),
            account: Some(who.account()),
            homes: standing.homes.iter().map(|(home, _)| *home).collect(),
        })
    }

    async fn listed(&self, who: &Human, only_open: bool) -> Result<usize> {
        let scope = who.right(&self.fixture, ASKS.or_in_home(HomeRole::Member)).await?;
        let seen = self.seen(who).await?;
        Ok(self.fixture.store.system.consent_list_page(&scope, &seen, only_open, None, 10).await?.len())
    }

    /// Whether Sam may act in the home now.
    async fn is_in(&self) -> Result<bool> {
        let place = self.sam.place(&self.fixture, self.fixture.first.organization()).await?.context("he is there")?;
        Ok(place.grant(ACTS).is_some_and(|granted| *granted.scope.reach() == Reach::Homes(vec![self.home])))
    }
}

fn state(row: &ConsentRow) -> ConsentState {
    row.times.state(row.read_at)
}

#[tokio::test]
async fn a_yes_opens_the_home_until_its_time_is_over() -> Result<()> {
    let case = Case::new().await?;
    let asked = case.asked().await?;
    assert_eq!((state(&asked), asked.duration), (ConsentState::Waiting, Duration::from_secs(3600)));
    assert!(!case.is_in().await?);
    assert!(matches!(case.ask_as(&case.sam, false).await?, ConsentRequested::HasOne), "it waits");
    let ConsentDecided::Yes(granted) = case.decide(asked.id, true).await? else { bail!("it waited") };
    assert_eq!((state(&granted), granted.decided_by.as_str()), (ConsentState::Granted, "ada@example.org"));
    let held =
        granted.times.ends_at.context("it ends")?.duration_since(granted.times.granted_at.context("granted")?)?;
    assert_eq!(held, Duration::from_secs(3600));
    assert!(case.is_in().await?);
    assert!(matches!(case.ask_as(&case.sam, false).await?, ConsentRequested::HasOne), "it holds");
    let again = case.decide(asked.id, false).await?;
    assert!(matches!(again, ConsentDecided::NotWaiting(ConsentState::Granted)), "{again:?}");
    case.fixture.admin.execute("UPDATE consent SET ends_at = now()", &[]).await?;
    assert!(!case.is_in().await?);
    let over = case.end_as(&case.sam, asked.id, &[]).await?;
    assert!(matches!(over, ConsentEnded::NotHolding(ConsentState::Ended)), "{over:?}");
    assert!(matches!(case.ask_as(&case.sam, false).await?, ConsentRequested::Yes(_)), "and asks again");
    assert_eq!(
        case.fixture.audited().await?,
        ["organization.create", "consent.request", "consent.grant", "consent.request"]
    );
    Ok(())
}

#[tokio::test]
async fn a_no_and_no_answer_open_nothing() -> Result<()> {
    let case = Case::new().await?;
    let asked = case.asked().await?;
    let ConsentDecided::Yes(denied) = case.decide(asked.id, false).await? else { bail!("it waited") };
    assert_eq!(state(&denied), ConsentState::Denied);
    assert!(!case.is_in().await?);
    let asked = case.asked().await?;
    case.fixture.admin.execute("UPDATE consent SET answer_until = now()", &[]).await?;
    let late = case.decide(asked.id, true).await?;
    assert!(matches!(late, ConsentDecided::NotWaiting(ConsentState::Expired)), "{late:?}");
    assert!(!case.is_in().await?);
    assert_eq!((case.listed(&case.sam, true).await?, case.listed(&case.sam, false).await?), (0, 2));
    Ok(())
}

#[tokio::test]
async fn two_owners_who_decide_at_once_decide_once() -> Result<()> {
    let case = Case::new().await?;
    let asked = case.asked().await?;
    let (yes, no) = tokio::join!(case.decide(asked.id, true), case.decide(asked.id, false));
    let outcomes = [yes?, no?];
    assert_eq!(outcomes.iter().filter(|done| matches!(done, ConsentDecided::Yes(_))).count(), 1, "{outcomes:?}");
    Ok(())
}

#[tokio::test]
async fn an_owner_ends_it_or_whoever_has_it_and_nobody_else() -> Result<()> {
    let case = Case::new().await?;
    let kim = case.fixture.member(3, "kim@example.org", Role::Support).await?;
    let oto = case.fixture.member(4, "oto@example.org", Role::Operator).await?;
    let asked = case.asked().await?;
    let own_home = [case.home];
    assert!(matches!(case.end_as(&kim, asked.id, &[]).await?, ConsentEnded::NoSuchConsent), "another's of support");
    assert!(matches!(case.end_as(&oto, asked.id, &[]).await?, ConsentEnded::NotTheirs), "an operator sees it");
    assert!(matches!(case.end_as(&case.ada, asked.id, &own_home).await?, ConsentEnded::StillWaits));
    let ConsentEnded::Yes(row) = case.end_as(&case.sam, asked.id, &[]).await? else { bail!("it was his") };
    assert_eq!(state(&row), ConsentState::Expired, "taken back");
    for by_owner in [true, false] {
        let asked = case.asked().await?;
        case.decide(asked.id, true).await?;
        let ended = match by_owner {
            true => case.end_as(&case.ada, asked.id, &own_home).await?,
            false => case.end_as(&case.sam, asked.id, &[]).await?,
        };
        let ConsentEnded::Yes(row) = ended else { bail!("{ended:?}") };
        assert_eq!(state(&row), ConsentState::Ended);
        assert!(!case.is_in().await?);
    }
    Ok(())
}

#[tokio::test]
async fn each_sees_what_is_theirs() -> Result<()> {
    let case = Case::new().await?;
    let kim = case.fixture.member(3, "kim@example.org", Role::Support).await?;
    let oto = case.fixture.member(4, "oto@example.org", Role::Operator).await?;
    let system = &case.fixture.store.system;
    let other = system.installation_insert(&case.fixture.first, &actor(), "Cabin", TimeZoneName::UTC).await?.id;
    let bob = case.fixture.lives_in(5, "bob@example.org", other, HomeRole::Owner).await?;
    let eve = case.fixture.lives_in(6, "eve@example.org", case.home, HomeRole::Member).await?;
    let asked = case.asked().await?;
    case.ask_as(&kim, false).await?;
    for (who, expected) in [(&case.sam, 1), (&kim, 1), (&oto, 2), (&case.ada, 2), (&eve, 2), (&bob, 0)] {
        assert_eq!(case.listed(who, true).await?, expected, "{}", who.person.email);
    }
    // Nor does anybody decide for a home that is none of theirs.
    let scope = bob.right(&case.fixture, OWNS).await?;
    let decided = system.consent_decide(&scope, &bob.actor(), asked.id, true, false).await?;
    assert!(matches!(decided, ConsentDecided::NoSuchConsent), "{decided:?}");
    Ok(())
}

#[tokio::test]
async fn owners_are_mailed_and_then_whoever_asked() -> Result<()> {
    let case = Case::new().await?;
    case.fixture.lives_in(3, "bob@example.org", case.home, HomeRole::Owner).await?;
    case.fixture.lives_in(4, "eve@example.org", case.home, HomeRole::Member).await?;
    let ConsentRequested::Yes(asked) = case.ask_as(&case.sam, true).await? else { bail!("asked") };
    let recipients = "SELECT string_agg(recipient, ',' ORDER BY recipient) FROM mail WHERE kind = 'support_asks'";
    let recipients: String = case.fixture.admin.query_one(recipients, &[]).await?.get(0);
    assert_eq!(recipients, "ada@example.org,bob@example.org");
    case.decide(asked.id, true).await?;
    let told = "SELECT recipient FROM mail WHERE kind = 'support_decided'";
    assert_eq!(case.fixture.admin.query_one(told, &[]).await?.get::<_, String>(0), "sam@example.org");
    // A mailbox that has had enough keeps nobody from asking: it is on the page.
    case.end_as(&case.sam, asked.id, &[]).await?;
    let fill = "INSERT INTO mail (id, recipient, kind, parameters)
                SELECT gen_random_uuid(), 'ada@example.org', 'reset_password', '{}' FROM generate_series(1, 10)";
    case.fixture.admin.execute(fill, &[]).await?;
    assert!(matches!(case.ask_as(&case.sam, true).await?, ConsentRequested::Yes(_)));
    Ok(())
}

#[tokio::test]
async fn a_home_of_nobody_and_too_many_questions_are_refused() -> Result<()> {
    let case = Case::new().await?;
    for _ in 0..10 {
        let asked = case.asked().await?;
        case.decide(asked.id, false).await?;
    }
    assert!(matches!(case.ask_as(&case.sam, false).await?, ConsentRequested::EnoughForToday));
    let which = (case.home, case.ada.account());
    let system = &case.fixture.store.system;
    system.home_person_remove(&case.fixture.first, &actor(), which, OwnerlessHome::Allowed).await?;
    let kim = case.fixture.member(3, "kim@example.org", Role::Support).await?;
    assert!(matches!(case.ask_as(&kim, false).await?, ConsentRequested::NoOwner));
    Ok(())
}

#[tokio::test]
async fn who_is_not_support_any_more_has_no_consents_left() -> Result<()> {
    let case = Case::new().await?;
    let asked = case.asked().await?;
    case.decide(asked.id, true).await?;
    assert!(case.is_in().await?);
    let system = &case.fixture.store.system;
    let set = async |role| system.member_set_role(&case.fixture.first, &actor(), case.sam.account(), role).await;
    assert_eq!(set(Role::Viewer).await?, MemberChanged::Yes);
    assert!(!case.is_in().await?);
    assert_eq!(set(Role::Support).await?, MemberChanged::Yes);
    assert!(!case.is_in().await?, "it does not come back");
    case.asked().await?;
    system.member_remove(&case.fixture.first, &actor(), case.sam.account()).await?;
    assert_eq!(
        case.fixture.count("SELECT count(*) FROM consent WHERE answer_until > now() AND granted_at IS NULL").await?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn an_account_that_is_gone_is_let_in_no_more() -> Result<()> {
    let case = Case::new().await?;
    let asked = case.asked().await?;
    let (scope, actor) = (case.sam.person.scope(), case.sam.actor());
    case.fixture.store.system.account_delete(&scope, &actor, false).await?;
    let decided = case.decide(asked.id, true).await?;
    assert!(matches!(decided, ConsentDecided::NotWaiting(ConsentState::Expired)), "{decided:?}");
    Ok(())
}
