//! Claiming boxes.

use super::{Fixture, enroll_telling, learn_roots, with_token};
use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;
use kaliun_types::claim_check::{CheckCharacters, message};
use rcgen::KeyPair;
use tokio::sync::mpsc;

/// What a box with this key shows after it was told a nonce.
pub(crate) fn check_characters(fixture: &Fixture, key_hash: &[u8], nonce: &[u8], code: &str) -> Result<String> {
    let trust_hash = fixture.server.trust_hash();
    let message = message(key_hash.try_into()?, &trust_hash, nonce.try_into()?, code);
    let hash: [u8; 32] = digest(&SHA256, &message).as_ref().try_into()?;
    Ok(CheckCharacters::from_hash(&hash).as_str().to_owned())
}

/// Looks a code up, and then at the box's screen: answers the check characters there.
pub(crate) async fn check(fixture: &Fixture, code: &str) -> Result<String> {
    let mut claims = ClaimServiceClient::new(fixture.public().await?);
    claims.look_up_claim(with_token(fleet::LookUpClaimRequest { code: code.to_owned() })).await?;
    let row = fixture
        .admin()
        .await?
        .query_opt("SELECT key_hash, check_nonce FROM enrollment WHERE claim_code = $1", &[&code.replace('-', "")])
        .await?
        .context("a box waits under the code")?;
    check_characters(fixture, row.get(0), row.get(1), code)
}

/// Lets a box come with a token whose boxes wait for an operator, and leaves: it goes on waiting.
pub(crate) async fn leave_waiting(fixture: &Fixture, join_token: &str, hostname: &str) -> Result<()> {
    let roots = learn_roots(fixture).await?;
    let key = KeyPair::generate()?;
    let (tell, mut told) = mpsc::unbounded_channel();
    tokio::select! {
        ended = enroll_telling(fixture, &roots, &key, join_token, hostname, &tell) => bail!("nobody has decided: {ended:?}"),
        pending = told.recv() => {
            assert_eq!(pending.context("it waits")?.claim_code, "", "an operator decides");
            Ok(())
        }
    }
}
