//! A migrated database of its own for each test, with two organizations.

use anyhow::{Context, Result};
use kaliun_cluster::testing::TestDatabase;
use kaliun_domain::authorization::Grants;
use kaliun_domain::enrollment::CERTIFICATE_LIFETIME;
use kaliun_domain::name_pattern::NameParts;
use kaliun_domain::role::Role;
use kaliun_store::{
    Actor, ByToken, CertificateGrant, DatabaseAccess, DatabaseUrl, Enrolled, FirstStart, NewClaim, NewDevice,
    NewJoinToken, OrganizationScope, Store, SystemStore,
};
use kaliun_types::id::{ApiTokenId, JoinTokenId, OrganizationId};
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};
use tokio_postgres::{Client, NoTls};

/// A store with two organizations.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    /// Acts as the superuser, to look behind the store's back.
    pub(crate) admin: Client,
    pub(crate) first: OrganizationScope,
    pub(crate) second: OrganizationScope,
    /// Kept, for the database goes with it.
    _database: TestDatabase,
}

pub(crate) fn actor() -> Actor {
    Actor::control_plane("test", "test")
}

/// A 32-byte hash made of one byte.
pub(crate) fn hash(byte: u8) -> [u8; 32] {
    [byte; 32]
}

pub(crate) async fn connect(database: &TestDatabase) -> Result<Client> {
    let (client, connection) = database.admin_config().connect(NoTls).await?;
    spawn(connection);
    Ok(client)
}

#[expect(clippy::disallowed_methods, reason = "the connection's task ends with the test")]
fn spawn(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) {
    tokio::spawn(connection);
}

impl Fixture {
    pub(crate) async fn new() -> Result<Self> {
        let database = TestDatabase::create().await?;
        let url = DatabaseUrl::from(database.admin_config());
        let store = Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await?;
        let admin = connect(&database).await?;
        let later = SystemTime::now() + Duration::from_secs(3600);
        let made = store
            .system
            .organization_bootstrap(FirstStart {
                organization_name: "First",
                installation_name: "Home",
                admin_email: "admin@example.org",
                admin_password_hash: "none",
                api_token: Some((&hash(1), later)),
                settings_document: b"settings",
            })
            .await?;
        assert!(made, "a new database has no organization");
        second_organization(&admin).await?;
        store.system.sample_partitions_prepare(SystemTime::now(), 1).await?;
        let first = scope(&store, 1).await?;
        let second = scope(&store, 2).await?;
        Ok(Self { store, admin, first, second, _database: database })
    }

    /// Enrols a box with a key of one byte into an organization.
    pub(crate) async fn enroll(&self, scope: &OrganizationScope, key: u8, name: &str) -> Result<Enrolled> {
        let secret = JoinTokenId::new().as_uuid().as_bytes().to_vec();
        let token = NewJoinToken {
            description: "test",
            secret_hash: &secret,
            labels: &[("key".to_owned(), key.to_string())].into(),
            name_pattern: None,
            needs_approval: false,
            max_uses: 1,
            expires_at: SystemTime::now() + Duration::from_secs(60),
        };
        self.store.app.join_token_insert(scope, &actor(), token).await?;
        let name = DeviceName::parse(name)?;
        let key = hash(key);
        let enrolled = by_token(&self.store.system, &secret, &new_device(&key, &name)).await?;
        enrolled.map_err(|reason| anyhow::anyhow!("refused: {reason}"))
    }
}

/// Comes with a token that lets boxes in at once.
pub(crate) async fn by_token(
    system: &SystemStore,
    secret_hash: &[u8],
    new: &NewDevice<'_>,
) -> Result<Result<Enrolled, ReasonCode>> {
    match system.enroll_by_token(secret_hash, new, "::1", SystemTime::now()).await? {
        Ok(ByToken::Enrolled(enrolled)) => Ok(Ok(enrolled)),
        Ok(ByToken::Waits(row)) => anyhow::bail!("it waits: {row:?}"),
        Err(reason) => Ok(Err(reason)),
    }
}

/// SHA-256 of what a box of these tests says of itself.
pub(crate) const FACTS_HASH: [u8; 32] = [
    0x06, 0x94, 0xaa, 0xcb, 0x66, 0xd6, 0x2e, 0x74, 0x2a, 0x92, 0xe8, 0xd5, 0xf1, 0xe8, 0x2b, 0xd9, 0xd2, 0xa8, 0xca,
    0x1b, 0xe8, 0x87, 0x44, 0x20, 0x1f, 0xbe, 0x63, 0xd0, 0xf5, 0x00, 0x75, 0x02,
];

/// What a box of these tests keeps to itself, and its SHA-256.
pub(crate) const BOX_BYTES: [u8; 32] = [9; 32];
const COMMITMENT: [u8; 32] = [
    0x8c, 0x0c, 0xc1, 0x7a, 0x04, 0x94, 0x2c, 0xc4, 0xf8, 0xe0, 0xfe, 0x0b, 0x30, 0x26, 0x06, 0xd3, 0x10, 0x88, 0x60,
    0xc1, 0x26, 0x42, 0x8b, 0xa2, 0xce, 0xeb, 0x5f, 0x9e, 0xd4, 0x1c, 0x2b, 0x05,
];

/// How a box waits under a code.
pub(crate) fn claim(code: &str, lifetime: Duration) -> NewClaim<'_> {
    NewClaim { code, lifetime, source_address: "::1", commitment: &COMMITMENT, nonce: &[8; 32] }
}

/// A certificate that is made now.
pub(crate) fn grant() -> CertificateGrant {
    let now = SystemTime::now();
    let serial = *uuid::Uuid::now_v7().as_bytes();
    CertificateGrant { authority: 1, serial, issued_at: now, expires_at: now + CERTIFICATE_LIFETIME }
}

pub(crate) fn new_device<'a>(key_hash: &'a [u8], name: &'a DeviceName) -> NewDevice<'a> {
    let parts = NameParts { hostname: name.as_str(), model: "", serial: "", key_hash };
    NewDevice { parts, facts: b"facts", facts_hash: b"hash of facts", certificate: grant() }
}

async fn second_organization(admin: &Client) -> Result<()> {
    let organization = OrganizationId::new();
    admin.execute("INSERT INTO organization (id, name) VALUES ($1, 'Second')", &[&organization]).await?;
    admin
        .execute(
            "INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at)
             VALUES ($1, $2, 'second', 4, $3, 'test', now() + interval '1 hour')",
            &[&ApiTokenId::new(), &organization, &&hash(2)[..]],
        )
        .await?;
    Ok(())
}

async fn scope(store: &Store, token: u8) -> Result<OrganizationScope> {
    let signed_in = store.gate.api_token_authenticate(&hash(token)).await?;
    let place = signed_in.and_then(|signed_in| signed_in.place).context("the token is known")?;
    Ok(place.grant(Grants::of(Role::Viewer)).context("it has a role")?.scope)
}
