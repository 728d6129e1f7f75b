//! People who are signed in, and what they are.

use crate::support::{Fixture, actor, hash};
use anyhow::{Context, Result, bail};
use kaliun_domain::authorization::Grants;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_store::{Actor, ActorKind, NewSession, OrganizationScope, Person, Place, Principal, SessionKind};
use kaliun_types::id::{AccountId, InstallationId, OrganizationId};
use std::time::{Duration, SystemTime};

/// Somebody with an account and a session.
pub(crate) struct Human {
    pub(crate) person: Person,
    secret_hash: [u8; 32],
}

impl Human {
    pub(crate) fn account(&self) -> AccountId {
        self.person.account
    }

    pub(crate) fn actor(&self) -> Actor {
        let kind = ActorKind::Person(self.person.account);
        Actor { kind, name: self.person.email.clone(), ..actor() }
    }

    /// What they are in an organization now.
    pub(crate) async fn place(&self, fixture: &Fixture, organization: OrganizationId) -> Result<Option<Place>> {
        let wanted = Some(organization);
        let found = fixture.store.gate.session_authenticate(SessionKind::Browser, &self.secret_hash, wanted).await?;
        Ok(found.context("the session is there")?.place)
    }

    /// The right that a call with these grants has now.
    pub(crate) async fn right(&self, fixture: &Fixture, grants: Grants) -> Result<OrganizationScope> {
        let place = self.place(fixture, fixture.first.organization()).await?.context("they are in there")?;
        Ok(place.grant(grants).context("they may")?.scope)
    }
}

impl Fixture {
    /// Makes an account and signs it in. The number is one of the test's own.
    pub(crate) async fn human(&self, number: u8, email: &str) -> Result<Human> {
        let account = AccountId::new();
        self.admin
            .execute(
                "INSERT INTO account (id, email, name, confirmed_at) VALUES ($1, $2, split_part($2, '@', 1), now())",
                &[&account, &email],
            )
            .await?;
        let secret_hash = hash(100 + number);
        let session = NewSession {
            client: "test",
            source_address: "::1",
            secret_hash: &secret_hash,
            expires_at: SystemTime::now() + Duration::from_secs(3600),
        };
        // Whoever checked a password that is not the account's any more gets no session.
        let late = self.store.gate.browser_session_insert(account, Some("an older hash"), &session, None).await?;
        anyhow::ensure!(late.is_none(), "a session began by an old password");
        let signed_in = self.store.gate.browser_session_insert(account, None, &session, None).await?;
        match signed_in.context("signed in")?.principal {
            Principal::Person(person) => Ok(Human { person, secret_hash }),
            Principal::ApiToken { .. } => bail!("a session is a person's"),
        }
    }

    /// Makes an account with a role in the first organization.
    pub(crate) async fn member(&self, number: u8, email: &str, role: Role) -> Result<Human> {
        let human = self.human(number, email).await?;
        let statement = "INSERT INTO membership (organization_id, account_id, role) VALUES ($1, $2, $3)";
        self.admin.execute(statement, &[&self.first.organization(), &human.account(), &role.number()]).await?;
        Ok(human)
    }

    /// Makes an account with a role in a home of the first organization.
    pub(crate) async fn lives_in(
        &self,
        number: u8,
        email: &str,
        home: InstallationId,
        role: HomeRole,
    ) -> Result<Human> {
        let human = self.human(number, email).await?;
        self.moves_in(&human, home, role).await?;
        Ok(human)
    }

    /// Gives somebody a role in a home of the first organization.
    pub(crate) async fn moves_in(&self, human: &Human, home: InstallationId, role: HomeRole) -> Result<()> {
        self.admin
            .execute(
                "INSERT INTO home_membership (organization_id, installation_id, account_id, role) VALUES ($1, $2, $3, $4)",
                &[&self.first.organization(), &home, &human.account(), &role.number()],
            )
            .await?;
        Ok(())
    }

    /// The home that the first organization began with.
    pub(crate) async fn first_home(&self) -> Result<InstallationId> {
        let statement = "SELECT id FROM installation WHERE organization_id = $1 AND name = 'Home'";
        Ok(self.admin.query_one(statement, &[&self.first.organization()]).await?.get(0))
    }

    /// The account of the admin that the first organization began with.
    pub(crate) async fn first_admin(&self) -> Result<AccountId> {
        let statement = "SELECT account_id FROM membership WHERE organization_id = $1 AND role = 4 ORDER BY created_at";
        Ok(self.admin.query_one(statement, &[&self.first.organization()]).await?.get(0))
    }

    /// A number from the database.
    pub(crate) async fn count(&self, statement: &str) -> Result<i64> {
        Ok(self.admin.query_one(statement, &[]).await?.get(0))
    }

    /// The actions of the audit so far, oldest first.
    pub(crate) async fn audited(&self) -> Result<Vec<String>> {
        let rows = self.admin.query("SELECT action FROM audit ORDER BY id", &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
