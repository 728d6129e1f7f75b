//! What signs nobody in: answers in another browser, a second time, too late, from too many, and links that lead elsewhere.

use super::{House, people, sent_to};
use crate::support::http::Visitor;
use crate::support::provider::refuse;
use anyhow::Result;
use bytes::Bytes;
use http::Request;
use serde_json::json;

const OVER: &str = "/?error=sign_in.attempt_over&provider=company";

#[tokio::test]
async fn an_answer_counts_once_and_in_the_browser_that_began() -> Result<()> {
    let house = House::start(people(&[("mallory", "mallory@example.org", true, &[])])).await?;
    let mut mallory = Visitor::default();
    let back = house.come_back(&mut mallory, "mallory", "").await?;

    // Sent to somebody else, it would sign them in as mallory.
    let mut victim = Visitor::default();
    assert_eq!(sent_to(&victim.get(&back).await?)?, OVER);
    house.come_back(&mut victim, "mallory", "").await?;
    assert_eq!(sent_to(&victim.get(&back).await?)?, OVER, "with an attempt of their own, too");
    assert!(victim.cookies().split("; ").all(|cookie| !cookie.starts_with("kaliun=")), "{}", victim.cookies());
    // Under another provider's name, and without a state.
    let elsewhere = back.replace("/company/", "/github/");
    assert_eq!(sent_to(&mallory.get(&elsewhere).await?)?, OVER.replace("company", "github"));
    let nameless = back.replace("state=", "stat=");
    assert_eq!(sent_to(&mallory.get(&nameless).await?)?, OVER);

    // None of that cost it its worth for who began.
    assert_eq!(sent_to(&mallory.get(&back).await?)?, "/");
    assert_eq!(sent_to(&mallory.get(&back).await?)?, OVER, "it counts once");
    house.stop().await
}

#[tokio::test]
async fn two_tabs_of_one_browser_are_two_attempts() -> Result<()> {
    let house = House::start(people(&[("ann", "ann@example.org", true, &[])])).await?;
    let mut visitor = Visitor::default();
    let first = house.come_back(&mut visitor, "ann", "?return=/first").await?;
    let second = house.come_back(&mut visitor, "ann", "?return=/second").await?;
    assert_eq!(sent_to(&visitor.get(&second).await?)?, "/second");
    // The cookie is gone with the first that succeeded; somebody is signed in by then.
    assert_eq!(sent_to(&visitor.get(&first).await?)?, OVER);
    house.stop().await
}

#[tokio::test]
async fn an_answer_that_comes_too_late_counts_for_nothing() -> Result<()> {
    let house = House::start(people(&[("ann", "ann@example.org", true, &[])])).await?;
    let mut visitor = Visitor::default();
    let back = house.come_back(&mut visitor, "ann", "").await?;
    let admin = house.fixture.admin().await?;
    let kept: f64 = admin
        .query_one("SELECT extract(epoch FROM expires_at - created_at)::float8 FROM sign_in_attempt", &[])
        .await?
        .get(0);
    assert!((599.0..601.0).contains(&kept), "{kept}");
    admin.execute("UPDATE sign_in_attempt SET expires_at = now() - interval '1 second'", &[]).await?;
    assert_eq!(sent_to(&visitor.get(&back).await?)?, OVER);
    house.stop().await
}

#[tokio::test]
async fn nobody_is_sent_to_another_server() -> Result<()> {
    let house = House::start(people(&[("ann", "ann@example.org", true, &[])])).await?;
    for query in [
        "?return=https%3A%2F%2Fevil.example.org%2F",
        "?return=%2F%2Fevil.example.org",
        "?return=%2F%5Cevil.example.org",
    ] {
        let mut visitor = Visitor::default();
        let back = house.come_back(&mut visitor, "ann", query).await?;
        assert_eq!(sent_to(&visitor.get(&back).await?)?, "/", "{query}");
    }
    // Neither is the provider told to send them elsewhere, whatever the browser says of this server.
    let request = Request::get(house.url("/sign-in/company")).header("host", "evil.example.org").body(Bytes::new())?;
    let there = sent_to(&Visitor::default().ask(request).await?)?;
    assert!(!there.contains("evil"), "{there}");
    house.stop().await
}

#[tokio::test]
async fn what_goes_wrong_at_the_provider_ends_with_a_reason() -> Result<()> {
    let house = House::start(people(&[("ann", "ann@example.org", true, &[])])).await?;
    let mut visitor = Visitor::default();
    let there = sent_to(&visitor.get(&house.url("/sign-in/company")).await?)?;
    let back = refuse(&mut visitor, &there).await?;
    assert_eq!(sent_to(&visitor.get(&back).await?)?, "/?error=sign_in.denied&provider=company");
    assert_eq!(sent_to(&visitor.get(&house.url("/sign-in/nobody")).await?)?, "/?error=sign_in.provider_unknown");

    house.company.lie(|_path, _response| crate::support::http::answer(503, "text/plain", ""));
    house.fixture.advance(std::time::Duration::from_secs(3_700));
    let refused = sent_to(&visitor.get(&house.url("/sign-in/company")).await?)?;
    assert_eq!(refused, "/?error=sign_in.provider_unreachable&provider=company");
    let posted = visitor.post(&house.url("/sign-in/company"), &[]).await?;
    assert_eq!(posted.status(), 405);
    house.stop().await
}

#[tokio::test]
async fn an_address_that_is_not_confirmed_makes_no_account_and_tells_nothing() -> Result<()> {
    let accounts = json!({
        "new": {"email": "new@example.org", "email_verified": false},
        "admin": {"email": "admin@example.org", "email_verified": false},
        "nobody": {"name": "Nobody"},
    });
    let house = House::start(accounts).await?;
    let refused = "/?error=sign_in.address_unconfirmed&provider=company";
    for login in ["new", "admin"] {
        assert_eq!(house.arrive(&mut Visitor::default(), login).await?, refused, "{login}");
    }
    let refused = "/?error=sign_in.address_missing&provider=company";
    assert_eq!(house.arrive(&mut Visitor::default(), "nobody").await?, refused);
    assert_eq!((house.count("account").await?, house.count("account_identity").await?), (1, 0));
    house.stop().await
}

#[tokio::test]
async fn one_source_begins_so_often_and_no_more() -> Result<()> {
    let house = House::start(json!({})).await?;
    let mut busy = 0;
    for _time in 0..70 {
        let there = sent_to(&Visitor::default().get(&house.url("/sign-in/company")).await?)?;
        busy += u32::from(there == "/?error=sign_in.busy&provider=company");
    }
    assert!((1..=10).contains(&busy), "{busy} of 70 were refused");
    assert!(house.count("sign_in_attempt").await? >= 60);
    house.stop().await
}
