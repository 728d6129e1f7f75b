//! Domains that show whose they are.

use crate::support::dns::TestDns;
use anyhow::Result;
use kaliun_control_plane::domain_proof::{DomainProof, DomainProofError, record_text};
use kaliun_domain::domain_name::DomainName;
use tokio::net::UdpSocket;

#[tokio::test]
async fn a_record_among_others_is_the_proof() -> Result<()> {
    let dns = TestDns::start().await?;
    let proof = DomainProof::new(vec![dns.address()]);
    let domain = DomainName::parse("example.org")?;
    let check = async |texts: &[&str], expected: bool| -> Result<()> {
        dns.set("_kaliun-fleet.example.org", texts);
        assert_eq!(proof.is_shown(&domain, "the-word").await?, expected, "{texts:?}");
        Ok(())
    };
    assert!(!proof.is_shown(&domain, "the-word").await?, "there is no such name yet");
    check(&[], false).await?;
    check(&["the-word"], false).await?;
    check(&["kaliun-fleet=another-word"], false).await?;
    check(&["kaliun-fleet=the-word-and-more"], false).await?;
    check(&["v=spf1 -all", "kaliun-fleet=another-word", " kaliun-fleet=the-word "], true).await?;
    // What was there is not remembered.
    check(&["v=spf1 -all"], false).await?;
    // One that comes in parts.
    let long = "w".repeat(150);
    dns.set("_kaliun-fleet.example.org", &[&record_text(&long)]);
    assert!(proof.is_shown(&domain, &long).await?);
    // Below another name it shows nothing of this one.
    assert!(!proof.is_shown(&DomainName::parse("sub.example.org")?, &long).await?);
    Ok(())
}

/// Time does not pass here but when everybody waits.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_shows_nothing() -> Result<()> {
    let silent = UdpSocket::bind("127.0.0.1:0").await?;
    let proof = DomainProof::new(vec![silent.local_addr()?]);
    let began = tokio::time::Instant::now();
    let error = proof.is_shown(&DomainName::parse("example.org")?, "the-word").await.expect_err("nobody answers");
    assert!(matches!(error, DomainProofError::Failed { .. } | DomainProofError::Silent { .. }), "{error:?}");
    assert!(began.elapsed().as_secs() <= 10, "{:?}", began.elapsed());
    Ok(())
}
