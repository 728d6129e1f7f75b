//! Claims: what only the box's screen shows has to be typed, few wrong ones end a claim, and every replica takes part.

use crate::support::claims::{Dialogue, box_bytes, check, check_characters, sha256};
use crate::support::{Fixture, PATIENCE, TestBox, enroll, learn_roots, public_channel, with_token};
use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_proto::enrollment::v1::enroll_response::{Issued, Pending, Step as Answer};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;
use rcgen::{KeyPair, PublicKeyData};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Status};

fn issued(answer: Answer) -> Result<Issued> {
    match answer {
        Answer::Issued(issued) => Ok(issued),
        other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Refused(_)) => bail!("not issued: {other:?}"),
    }
}

async fn look_up(public: &Channel, code: &str) -> Result<fleet::Claim> {
    let request = with_token(fleet::LookUpClaimRequest { code: code.to_owned() });
    let answer = ClaimServiceClient::new(public.clone()).look_up_claim(request).await?;
    answer.into_inner().claim.context("a claim")
}

/// Waits until the box has answered, as a page does.
async fn answered(public: &Channel, code: &str) -> Result<fleet::Claim> {
    tokio::time::timeout(PATIENCE, async {
        loop {
            let claim = look_up(public, code).await?;
            if claim.shows_check {
                return Ok(claim);
            }
        }
    })
    .await?
}

async fn approve(public: &Channel, code: &str, check: &str) -> Result<fleet::ApproveClaimResponse, Status> {
    let request = fleet::ApproveClaimRequest { code: code.to_owned(), check: check.to_owned(), ..Default::default() };
    Ok(ClaimServiceClient::new(public.clone()).approve_claim(with_token(request)).await?.into_inner())
}

/// Four characters that are others than these.
fn wrong(right: &str) -> &'static str {
    if right == "AC34" { "AC36" } else { "AC34" }
}

/// A box that waits, everything it is told, and its last answer.
struct WaitingBox {
    key: KeyPair,
    told: mpsc::UnboundedReceiver<Pending>,
}

impl WaitingBox {
    async fn next(&mut self) -> Result<Pending> {
        tokio::time::timeout(PATIENCE, self.told.recv()).await?.context("the box goes on waiting")
    }

    /// What the box told next shows, computed as a box does it.
    async fn next_check(&mut self, fixture: &Fixture) -> Result<String> {
        loop {
            let Pending { claim_code, check_nonce, .. } = self.next().await?;
            if !check_nonce.is_empty() {
                let key_hash = digest(&SHA256, &self.key.subject_public_key_info());
                return check_characters(fixture, key_hash.as_ref(), &check_nonce, &claim_code);
            }
        }
    }
}

/// Lets a box wait while something is done with it, and answers how its enrolment ended.
async fn while_waiting(
    fixture: &Fixture,
    act: impl AsyncFnOnce(WaitingBox) -> Result<()>,
) -> Result<(KeyPair, Answer)> {
    let roots = learn_roots(fixture).await?;
    let key = KeyPair::generate()?;
    let (tell, told) = mpsc::unbounded_channel();
    let waiting = WaitingBox { key: KeyPair::from_pem(&key.serialize_pem())?, told };
    let enrolling = crate::support::enroll_telling(fixture, &roots, &key, "", "cellar", &tell);
    let (answer, acted) = tokio::join!(enrolling, act(waiting));
    acted?;
    Ok((key, answer?))
}

#[tokio::test]
async fn what_the_screen_shows_has_to_be_typed() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    let began = Instant::now();
    let mut said_yes_at = began;
    let (key, answer) = while_waiting(&fixture, async |mut waiting| {
        let shown = waiting.next().await?;
        assert!(shown.check_nonce.is_empty(), "nobody has entered the code");
        assert!(shown.claim_url.ends_with(&format!("/claim?code={}", shown.claim_code)), "{shown:?}");
        let code = shown.claim_code;

        let early = approve(&public, &code, "AC34").await.unwrap_err();
        assert_eq!(early.code(), Code::FailedPrecondition, "{early:?}");
        assert!(early.message().starts_with("check: "), "{early:?}");

        assert_eq!(look_up(&public, &code).await?.check_tries_left, 5);
        let right = waiting.next_check(&fixture).await?;
        answered(&public, &code).await?;
        // Who looks once more sees the same.
        assert_eq!(check(&fixture, &code).await?, right);
        for missing in ["", "  ", "AC3", "AC30", "AC34AC34"] {
            let refused = approve(&public, &code, missing).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{missing:?}: {refused:?}");
            assert!(refused.message().starts_with("check: "), "{missing:?}: {refused:?}");
        }
        let refused = approve(&public, &code, wrong(&right)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        assert!(refused.message().contains("tries left: 4"), "{refused:?}");
        assert_eq!(look_up(&public, &code).await?.check_tries_left, 4, "what is no check at all was not counted");
        said_yes_at = Instant::now();
        approve(&public, &code, &right.to_lowercase()).await?;
        assert_eq!(approve(&public, &code, &right).await.unwrap_err().code(), Code::NotFound, "the code works once");
        Ok(())
    })
    .await?;
    let claimed = TestBox::from_issued(&fixture, key, learn_roots(&fixture).await?, issued(answer)?);
    claimed.open().await?;
    assert!(said_yes_at.elapsed() < Duration::from_secs(2), "online {:?} after the yes", said_yes_at.elapsed());
    fixture.stop().await
}

#[tokio::test]
async fn wrong_check_characters_end_a_claim() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    let (_key, answer) = while_waiting(&fixture, async |mut waiting| {
        let code = waiting.next().await?.claim_code;
        look_up(&public, &code).await?;
        let right = waiting.next_check(&fixture).await?;
        answered(&public, &code).await?;
        // All at once: none of them may pass on the place of another.
        let tries = (0..8).map(|_| approve(&public, &code, wrong(&right)));
        let refused: Vec<Code> = futures_util::future::join_all(tries)
            .await
            .into_iter()
            .filter_map(|tried| Some(tried.err()?.code()))
            .collect();
        let count = |code: Code| refused.iter().filter(|refused| **refused == code).count();
        let counted = (count(Code::InvalidArgument), count(Code::FailedPrecondition), count(Code::NotFound));
        assert_eq!(counted, (4, 1, 3), "{refused:?}");
        assert_eq!(approve(&public, &code, &right).await.unwrap_err().code(), Code::NotFound, "it is over");
        Ok(())
    })
    .await?;
    let Answer::Refused(refused) = answer else { bail!("not refused: {answer:?}") };
    assert_eq!(refused.reason, "enrollment.check_failed");
    assert!(refused.retryable, "somebody else's guessing must not strand the box");
    let misses: i64 = fixture
        .admin()
        .await?
        .query_one("SELECT count(*) FROM audit WHERE action = 'claim.check_failed'", &[])
        .await?
        .get(0);
    assert_eq!(misses, 5);
    fixture.stop().await
}

/// The box waits at one replica, and somebody claims it at another.
#[tokio::test]
async fn a_box_is_claimed_at_another_replica() -> Result<()> {
    let fixture = Fixture::start().await?;
    let other = fixture.replica().await?;
    let public = public_channel(&other).await?;
    let (_key, answer) = while_waiting(&fixture, async |mut waiting| {
        let code = waiting.next().await?.claim_code;
        look_up(&public, &code).await?;
        let right = waiting.next_check(&fixture).await?;
        answered(&public, &code).await?;
        approve(&public, &code, &right).await?;
        Ok(())
    })
    .await?;
    issued(answer)?;
    other.stop().await;
    fixture.stop().await
}

/// A box whose stream breaks while somebody claims it goes on under its code, with other check characters.
#[tokio::test]
async fn a_claim_goes_on_when_the_box_comes_back() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    let roots = learn_roots(&fixture).await?;
    let key = KeyPair::generate()?;
    let (tell, mut told) = mpsc::channel(1);
    let leave = async |code: String| tell.send(code).await.expect("somebody listens");
    let code = tokio::select! {
        ended = enroll(&fixture, &roots, &key, "", "cellar", leave) => bail!("nobody has decided: {ended:?}"),
        code = told.recv() => code.context("a code")?,
    };
    assert!(!look_up(&public, &code).await?.shows_check, "it has gone");
    let unanswered = approve(&public, &code, "AC34").await.unwrap_err();
    assert_eq!(unanswered.code(), Code::FailedPrecondition, "{unanswered:?}");
    assert!(unanswered.message().contains("has not answered yet"), "{unanswered:?}");
    let before = check(&fixture, &code).await?;
    let (tell, mut told) = mpsc::unbounded_channel();
    let come_back = crate::support::enroll_telling(&fixture, &roots, &key, "", "renamed-meanwhile", &tell);
    let (answer, acted) = tokio::join!(come_back, async {
        let shown = tokio::time::timeout(PATIENCE, told.recv()).await?.context("it waits")?;
        assert_eq!(shown.claim_code, code, "the code is being used");
        let claim = answered(&public, &code).await?;
        assert_eq!(claim.check_tries_left, 4, "each return shows other characters, and costs a try");
        let facts = claim.facts.context("facts")?;
        assert_eq!(facts.hostname, "cellar", "what somebody has seen does not change before the yes");
        let dead = approve(&public, &code, &before).await.unwrap_err();
        assert!(dead.message().contains("tries left: 3"), "{dead:?}");
        let key_hash = digest(&SHA256, &key.subject_public_key_info());
        let right = check_characters(&fixture, key_hash.as_ref(), &shown.check_nonce, &code)?;
        approve(&public, &code, &right).await?;
        anyhow::Ok(())
    });
    acted?;
    issued(answer?)?;
    fixture.stop().await
}

/// Authorities change while a box waits: what it gets is made by the one that counts after the yes, and noted so.
#[tokio::test]
async fn the_certificate_is_made_by_the_authority_that_counts_after_the_yes() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (public, admin) = (fixture.public().await?, fixture.admin().await?);
    let mut authorities = AuthorityServiceClient::new(public.clone());
    let (_key, answer) = while_waiting(&fixture, async |mut waiting| {
        let code = waiting.next().await?.claim_code;
        look_up(&public, &code).await?;
        let right = waiting.next_check(&fixture).await?;
        authorities.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
        let from = fleet::RotationPhase::Trust.into();
        authorities.advance_rotation(with_token(fleet::AdvanceRotationRequest { from, force: true })).await?;
        // Other boxes say when the server has taken it over.
        let began = Instant::now();
        let taken_over = "SELECT EXISTS (SELECT FROM device WHERE certificate_authority = 2)";
        while !admin.query_one(taken_over, &[]).await?.get::<_, bool>(0) {
            anyhow::ensure!(began.elapsed() < PATIENCE, "the server goes on with the old authority");
            TestBox::enroll(&fixture, "other").await?;
        }
        answered(&public, &code).await?;
        approve(&public, &code, &right).await?;
        Ok(())
    })
    .await?;
    let issued = issued(answer)?;
    let second: Vec<u8> = admin.query_one("SELECT certificate FROM authority WHERE number = 2", &[]).await?.get(0);
    assert_eq!(issued.certificate_chain.last(), Some(&second), "signed by the authority that counts now");
    let noted =
        "SELECT d.certificate_authority, c.authority FROM device d JOIN device_certificate c ON c.device_id = d.id
                 WHERE d.id::text = $1";
    let row = admin.query_one(noted, &[&issued.device_id]).await?;
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (2, 2));
    fixture.stop().await
}

/// Whoever claims somebody's code with a key of their own has chosen their bytes before they know the server's.
#[tokio::test]
async fn a_box_reveals_what_it_committed_itself_to() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    let roots = learn_roots(&fixture).await?;
    let key = KeyPair::generate()?;
    let key_hash: [u8; 32] = digest(&SHA256, &key.subject_public_key_info()).as_ref().try_into()?;
    let committed = sha256(&box_bytes(&key_hash)).to_vec();

    let mut short = Dialogue::begin(&fixture, &roots, &key).await?;
    short.prove(&key, committed[1..].to_vec()).await?;
    assert_eq!(short.refused().await?, "enrollment.request_invalid");

    let mut other = Dialogue::begin(&fixture, &roots, &key).await?;
    other.prove(&key, committed.clone()).await?;
    let code = other.pending().await?.claim_code;
    look_up(&public, &code).await?;
    let told = other.pending().await?;
    assert_eq!(told.check_nonce.len(), 32);
    other.reveal(vec![7; 32]).await?;
    assert_eq!(other.refused().await?, "enrollment.proof_invalid");
    assert!(!look_up(&public, &code).await?.shows_check, "nothing was revealed");

    let mut again = Dialogue::begin(&fixture, &roots, &key).await?;
    again.prove(&key, committed).await?;
    let asked = again.pending().await?;
    assert_eq!(asked.claim_code, code);
    assert!(!asked.check_nonce.is_empty() && asked.check_nonce != told.check_nonce, "made after the commitment");
    again.reveal(box_bytes(&key_hash).to_vec()).await?;
    assert_eq!(answered(&public, &code).await?.check_tries_left, 4);
    fixture.stop().await
}
