//! Keys that change, and what is asked for how often.

use super::Client;
use crate::support::provider::{TestProvider, Wanted};
use anyhow::Result;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn a_new_key_is_found_by_its_first_token_and_looked_for_once_a_minute() -> Result<()> {
    let mut provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    for _time in 0..3 {
        client.sign_in("ann").await?;
    }
    assert_eq!((provider.asked(DISCOVERY), provider.asked("/jwks")), (1, 1), "asked once for all of them");

    client.clock.advance(Duration::from_secs(61));
    provider.rotate_keys().await?;
    assert_eq!(client.sign_in("ann").await?.subject, "ann");
    assert_eq!((provider.asked(DISCOVERY), provider.asked("/jwks")), (1, 2));

    // Whoever changes keys twice a minute, or makes tokens up, has us ask no more often.
    provider.rotate_keys().await?;
    for _time in 0..3 {
        let error = client.refused("ann").await?;
        assert_eq!(error.reason(), ReasonCode::SignInAnswerInvalid);
    }
    assert_eq!(provider.asked("/jwks"), 2);
    client.clock.advance(Duration::from_secs(61));
    assert_eq!(client.sign_in("ann").await?.subject, "ann");
    assert_eq!((provider.asked(DISCOVERY), provider.asked("/jwks")), (1, 3));
    Ok(())
}

#[tokio::test]
async fn what_a_provider_publishes_is_read_anew_after_an_hour() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    client.begin().await?;
    client.clock.advance(Duration::from_secs(3_590));
    client.begin().await?;
    assert_eq!((provider.asked(DISCOVERY), provider.asked("/jwks")), (1, 1));
    client.clock.advance(Duration::from_secs(20));
    client.begin().await?;
    assert_eq!((provider.asked(DISCOVERY), provider.asked("/jwks")), (2, 2));
    Ok(())
}
