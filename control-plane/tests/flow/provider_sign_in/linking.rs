//! Linking an account with an identity and unlinking it; and that nobody takes an account over by its address.

use super::{House, people, sent_to};
use crate::browser::Browser;
use crate::support::http::Visitor;
use crate::support::provider::agree;
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::identity_service_client::IdentityServiceClient;
use tonic::Code;

/// The first admin in a browser, signed in by password.
async fn admin(house: &mut House) -> Result<(Visitor, String)> {
    let password = house.fixture.server.take_first_password().context("a password was made")?;
    let visitor = sign_in(house, &password).await?;
    Ok((visitor, password))
}

async fn sign_in(house: &House, password: &str) -> Result<Visitor> {
    let (email, password) = ("admin@example.org".to_owned(), password.to_owned());
    let browser = house.browser(&Visitor::default()).await?;
    let request = browser.request(fleet::SignInRequest { email, password });
    let mut accounts = fleet::account_service_client::AccountServiceClient::new(browser.web());
    let answer = accounts.sign_in(request).await?;
    let mut visitor = Visitor::default();
    visitor.take(answer.metadata().get("set-cookie").context("a cookie")?.to_str()?)?;
    Ok(visitor)
}

async fn start_link(
    house: &House,
    visitor: &mut Visitor,
    request: fleet::StartLinkRequest,
) -> Result<Result<String, tonic::Status>> {
    let browser = house.browser(visitor).await?;
    let request = browser.request(request);
    match IdentityServiceClient::new(browser.web()).start_link(request).await {
        Ok(answer) => {
            visitor.take(answer.metadata().get("set-cookie").context("a cookie")?.to_str()?)?;
            Ok(Ok(answer.into_inner().redirect_to))
        }
        Err(status) => Ok(Err(status)),
    }
}

fn to_company(password: &str) -> fleet::StartLinkRequest {
    let (password, return_path) = (password.to_owned(), "/account".to_owned());
    fleet::StartLinkRequest { provider: "company".to_owned(), password, return_path }
}

/// Links, or not. Answers where the browser ends.
async fn link(house: &House, visitor: &mut Visitor, login: &str) -> Result<String> {
    let there = start_link(house, visitor, to_company("")).await??;
    visitor.forget_elsewhere();
    let back = agree(visitor, &there, login).await?;
    sent_to(&visitor.get(&back).await?)
}

async fn identities(browser: &Browser) -> Result<Vec<fleet::LinkedIdentity>> {
    let request = browser.request(fleet::ListIdentitiesRequest {});
    Ok(IdentityServiceClient::new(browser.web()).list_identities(request).await?.into_inner().identities)
}

async fn unlink(browser: &Browser, id: &str) -> Result<Result<(), tonic::Status>> {
    let request = browser.request(fleet::UnlinkIdentityRequest { id: id.to_owned() });
    Ok(IdentityServiceClient::new(browser.web()).unlink_identity(request).await.map(|_done| ()))
}

#[tokio::test]
async fn an_account_is_linked_by_its_person_and_never_by_its_address() -> Result<()> {
    let mut house = House::start(people(&[("boss", "ADMIN@example.org", true, &[])])).await?;
    // The provider vouches for the address; that is not enough.
    let mut stranger = Visitor::default();
    assert_eq!(house.arrive(&mut stranger, "boss").await?, "/?error=sign_in.link_first&provider=company");
    assert_eq!(house.count("account_identity").await?, 0);
    assert!(house.who(&stranger).await.is_err(), "nobody is signed in");

    let (mut visitor, _password) = admin(&mut house).await?;
    assert_eq!(link(&house, &mut visitor, "boss").await?, "/account");
    let listed = identities(&house.browser(&visitor).await?).await?;
    assert_eq!(listed.len(), 1);
    let linked = listed.first().context("one")?;
    assert_eq!((linked.provider.as_str(), linked.provider_name.as_str()), ("company", "The company"));
    assert_eq!(linked.email, "ADMIN@example.org");

    // From now on that is a way in.
    let mut elsewhere = Visitor::default();
    assert_eq!(house.arrive(&mut elsewhere, "boss").await?, "/");
    let (linked, by_password) = (house.who(&elsewhere).await?, house.who(&visitor).await?);
    assert_eq!(linked.account_id, by_password.account_id);
    let rows = house
        .fixture
        .admin()
        .await?
        .query("SELECT actor, after ->> 'provider' FROM audit WHERE action = 'account.link_identity'", &[])
        .await?;
    let row = rows.first().context("a record")?;
    assert_eq!((rows.len(), row.get::<_, &str>(0), row.get::<_, &str>(1)), (1, "admin@example.org", "company"));
    house.stop().await
}

#[tokio::test]
async fn an_identity_is_of_one_account_and_an_account_has_one_of_each_provider() -> Result<()> {
    let accounts = people(&[("ann", "ann@example.org", true, &[]), ("boss", "boss@example.org", true, &[])]);
    let mut house = House::start(accounts).await?;
    house.arrive(&mut Visitor::default(), "ann").await?;
    let (mut visitor, _password) = admin(&mut house).await?;
    assert_eq!(link(&house, &mut visitor, "ann").await?, "/?error=sign_in.identity_taken&provider=company");
    assert_eq!(link(&house, &mut visitor, "boss").await?, "/account");
    assert_eq!(link(&house, &mut visitor, "boss").await?, "/account", "to say it twice does no harm");
    assert_eq!(link(&house, &mut visitor, "bob").await?, "/?error=sign_in.provider_linked&provider=company");
    assert_eq!(house.count("account_identity").await?, 2);
    house.stop().await
}

#[tokio::test]
async fn linking_takes_somebody_who_signed_in_lately_or_knows_the_password() -> Result<()> {
    let mut house = House::start(people(&[("boss", "boss@example.org", true, &[])])).await?;
    let (mut visitor, password) = admin(&mut house).await?;
    let age = "UPDATE account_session SET created_at = now() - interval '11 minutes'";
    house.fixture.admin().await?.execute(age, &[]).await?;
    for wrong in ["", "not the password"] {
        let refused = start_link(&house, &mut visitor, to_company(wrong)).await?.expect_err("it takes the password");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        assert!(refused.message().starts_with("password: "), "{refused:?}");
    }
    let there = start_link(&house, &mut visitor, to_company(&password)).await??;
    let back = agree(&mut visitor, &there, "boss").await?;

    // What somebody else's browser brings back is worth nothing, nor is it once the session is over.
    assert!(sent_to(&Visitor::default().get(&back).await?)?.contains("sign_in.attempt_over"));
    house.fixture.admin().await?.execute("UPDATE account_session SET revoked_at = now()", &[]).await?;
    assert!(sent_to(&visitor.get(&back).await?)?.contains("sign_in.attempt_over"));
    assert_eq!(house.count("account_identity").await?, 0);

    // Somebody without a password signs in anew.
    let mut boss = Visitor::default();
    house.arrive(&mut boss, "boss").await?;
    house.fixture.admin().await?.execute(age, &[]).await?;
    let refused = start_link(&house, &mut boss, to_company("")).await?.expect_err("it takes a new session");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    house.stop().await
}

#[tokio::test]
async fn linking_begins_on_our_own_pages_alone() -> Result<()> {
    let mut house = House::start(people(&[])).await?;
    let (visitor, _password) = admin(&mut house).await?;
    let browser = house.browser(&visitor).await?;
    let mut request = browser.request(to_company(""));
    request.metadata_mut().insert("origin", "https://evil.example.org".parse()?);
    let refused =
        IdentityServiceClient::new(browser.web()).start_link(request).await.expect_err("it is another's page");
    assert_eq!(refused.code(), Code::Unauthenticated, "the cookie does not count there");
    let elsewhere = fleet::StartLinkRequest { return_path: "//evil.example.org".to_owned(), ..to_company("") };
    let refused =
        start_link(&house, &mut Visitor::default(), elsewhere.clone()).await?.expect_err("nobody is signed in");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut visitor = visitor;
    let refused = start_link(&house, &mut visitor, elsewhere).await?.expect_err("it leads elsewhere");
    assert!(refused.message().starts_with("return_path: "), "{refused:?}");
    let nobody = fleet::StartLinkRequest { provider: "nobody".to_owned(), ..to_company("") };
    let refused = start_link(&house, &mut visitor, nobody).await?.expect_err("there is none");
    assert!(refused.message().starts_with("provider: sign_in.provider_unknown"), "{refused:?}");
    house.stop().await
}

#[tokio::test]
async fn the_last_way_in_is_not_unlinked() -> Result<()> {
    let mut house =
        House::start(people(&[("ann", "ann@example.org", true, &[]), ("boss", "b@example.org", true, &[])])).await?;
    let mut ann = Visitor::default();
    house.arrive(&mut ann, "ann").await?;
    let browser = house.browser(&ann).await?;
    let own = identities(&browser).await?.first().context("one")?.id.clone();
    let refused = unlink(&browser, &own).await?.expect_err("it is the last");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    // Another's is as one that does not exist; one of a provider that is no more is no way in.
    let (mut visitor, _password) = admin(&mut house).await?;
    link(&house, &mut visitor, "boss").await?;
    let of_admin = house.browser(&visitor).await?;
    assert_eq!(unlink(&of_admin, &own).await?.expect_err("it is ann's").code(), Code::NotFound);
    house
        .fixture
        .admin()
        .await?
        .execute(
            "INSERT INTO account_identity (id, account_id, provider, subject)
             SELECT gen_random_uuid(), account_id, 'gone', 'ann' FROM account_identity WHERE subject = 'ann'",
            &[],
        )
        .await?;
    assert_eq!(unlink(&browser, &own).await?.expect_err("still the last").code(), Code::FailedPrecondition);
    // Who has a password can do without.
    let of_boss = identities(&of_admin).await?.first().context("one")?.id.clone();
    unlink(&of_admin, &of_boss).await??;
    assert!(identities(&of_admin).await?.is_empty());
    house.stop().await
}
