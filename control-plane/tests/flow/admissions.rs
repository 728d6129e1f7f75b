//! Join tokens whose boxes wait for an operator, and what boxes are called.

use crate::support::claims::leave_waiting;
use crate::support::{Fixture, PATIENCE, TestBox, enroll_telling, learn_roots, public_channel, with_token};
use anyhow::{Context, Result, bail};
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;
use rcgen::KeyPair;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::Code;
use tonic::transport::Channel;

async fn token(fixture: &Fixture, pattern: &str, needs_approval: bool) -> Result<String> {
    let request = fleet::CreateJoinTokenRequest {
        description: "shops".to_owned(),
        max_uses: 100,
        labels: [("group".to_owned(), "shops".to_owned())].into(),
        name_pattern: pattern.to_owned(),
        needs_approval,
        ..Default::default()
    };
    let made = JoinTokenServiceClient::new(fixture.public().await?).create_join_token(with_token(request)).await?;
    let made = made.into_inner();
    let listed = made.join_token.context("a token")?;
    assert_eq!((listed.name_pattern.as_str(), listed.needs_approval), (pattern, needs_approval));
    Ok(made.secret)
}

async fn waiting(public: &Channel) -> Result<Vec<fleet::Enrollment>> {
    let request = with_token(fleet::ListEnrollmentsRequest::default());
    let page = EnrollmentServiceClient::new(public.clone()).list_enrollments(request).await?.into_inner();
    assert_eq!(usize::try_from(page.waiting_count)?, page.enrollments.len());
    Ok(page.enrollments)
}

/// Says yes to what was looked at.
async fn approve_seen(public: &Channel, seen: &fleet::Enrollment) -> Result<(), tonic::Status> {
    let (id, facts_hash) = (seen.id.clone(), seen.facts_hash.clone());
    let request = fleet::ApproveEnrollmentRequest { id, facts_hash, ..Default::default() };
    EnrollmentServiceClient::new(public.clone()).approve_enrollment(with_token(request)).await.map(|_| ())
}

async fn approve(public: &Channel, id: &str) -> Result<fleet::ApproveEnrollmentResponse, tonic::Status> {
    let request = fleet::ApproveEnrollmentRequest { id: id.to_owned(), ..Default::default() };
    Ok(EnrollmentServiceClient::new(public.clone()).approve_enrollment(with_token(request)).await?.into_inner())
}

#[tokio::test]
async fn a_box_waits_for_an_operator_and_is_online_soon_after_the_yes() -> Result<()> {
    let fixture = Fixture::start().await?;
    // Whoever says yes may be at another replica than the box.
    let other = fixture.replica().await?;
    let public = public_channel(&other).await?;
    let secret = token(&fixture, "shop-{n}", true).await?;
    let (roots, key) = (learn_roots(&fixture).await?, KeyPair::generate()?);
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut said_yes_at = Instant::now();
    let (answer, acted) =
        tokio::join!(enroll_telling(&fixture, &roots, &key, &secret, "homeassistant", &tell), async {
            let pending = tokio::time::timeout(PATIENCE, told.recv()).await?.context("it waits")?;
            assert_eq!((pending.claim_code.as_str(), pending.claim_url.as_str()), ("", ""));
            let waiting = waiting(&public).await?;
            let [waiting] = waiting.as_slice() else { bail!("one waits, not {waiting:?}") };
            assert_eq!(waiting.facts.as_ref().map(|facts| facts.hostname.as_str()), Some("homeassistant"));
            assert_eq!((waiting.name.as_str(), waiting.join_token_description.as_str()), ("shop-1", "shops"));
            said_yes_at = Instant::now();
            let approved = approve(&public, &waiting.id).await?;
            assert_eq!(approved.device_name, "shop-1");
            let again = approve(&public, &waiting.id).await?;
            assert_eq!(again, approved, "a yes is for once, and its answer for whoever did not get it");
            anyhow::Ok(())
        });
    acted?;
    let answer = answer?;
    let Answer::Issued(issued) = answer else { bail!("not issued: {answer:?}") };
    TestBox::from_issued(&fixture, key, roots, issued).open().await?;
    assert!(said_yes_at.elapsed() < Duration::from_secs(2), "online {:?} after the yes", said_yes_at.elapsed());
    assert!(waiting(&public).await?.is_empty());
    other.stop().await;
    fixture.stop().await
}

#[tokio::test]
async fn a_box_that_was_switched_off_meanwhile_hears_what_was_said() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    let secret = token(&fixture, "", true).await?;
    let (roots, key) = (learn_roots(&fixture).await?, KeyPair::generate()?);
    for (hostname, is_approved) in [("denied", false), ("approved", true)] {
        let key = if is_approved { KeyPair::from_pem(&key.serialize_pem())? } else { KeyPair::generate()? };
        let (tell, mut told) = mpsc::unbounded_channel();
        tokio::select! {
            ended = enroll_telling(&fixture, &roots, &key, &secret, hostname, &tell) => bail!("nobody has decided: {ended:?}"),
            pending = told.recv() => pending.context("it waits")?,
        };
        let waiting = waiting(&public).await?;
        let [waiting] = waiting.as_slice() else { bail!("one waits, not {waiting:?}") };
        assert_eq!(waiting.name, hostname);
        if is_approved {
            approve(&public, &waiting.id).await?;
        } else {
            let request = with_token(fleet::DenyEnrollmentRequest { id: waiting.id.clone() });
            EnrollmentServiceClient::new(public.clone()).deny_enrollment(request).await?;
        }
        let answer = enroll_telling(&fixture, &roots, &key, &secret, hostname, &tell).await?;
        match answer {
            Answer::Issued(issued) if is_approved => assert_eq!(issued.device_name, "approved"),
            Answer::Refused(refused) if !is_approved => {
                assert_eq!((refused.reason.as_str(), refused.retryable), ("enrollment.denied", false));
            }
            other @ (Answer::Issued(_) | Answer::Refused(_) | Answer::Challenge(_) | Answer::Pending(_)) => {
                bail!("{hostname}: {other:?}")
            }
        }
    }
    fixture.stop().await
}

/// The room for boxes that wait over a stream is for those that wait: who was told yes takes none of it.
#[tokio::test]
async fn a_box_that_was_told_yes_gets_its_certificate_however_many_others_wait() -> Result<()> {
    const ROOM: usize = 100;
    // All come from here, which is not what fills the room in this test.
    let fixture = Fixture::start_with(|config| config.device_sources_hidden = true).await?;
    let public = fixture.public().await?;
    let secret = token(&fixture, "", true).await?;
    let roots = learn_roots(&fixture).await?;
    let (approved, late) = (KeyPair::generate()?, KeyPair::generate()?);
    leave_waiting(&fixture, &approved, &secret, "approved").await?;
    let seen = waiting(&public).await?.pop().context("one waits")?;

    let (tell, mut told) = mpsc::unbounded_channel();
    let keys = (0..ROOM).map(|_| KeyPair::generate()).collect::<Result<Vec<_>, _>>()?;
    let waits = keys.iter().map(|key| enroll_telling(&fixture, &roots, key, &secret, "other", &tell));
    let others = futures_util::future::join_all(waits);
    let (unheard, _told) = mpsc::unbounded_channel();
    let work = async {
        for _ in 0..ROOM {
            tokio::time::timeout(PATIENCE, told.recv()).await?.context("it waits")?;
        }
        let answer = enroll_telling(&fixture, &roots, &late, &secret, "late", &unheard).await?;
        let Answer::Refused(refused) = answer else { bail!("there is room: {answer:?}") };
        assert_eq!((refused.reason.as_str(), refused.retryable), ("enrollment.busy", true));
        approve(&public, &seen.id).await?;
        let answer = enroll_telling(&fixture, &roots, &approved, &secret, "approved", &unheard).await?;
        let Answer::Issued(issued) = answer else { bail!("not issued: {answer:?}") };
        assert_eq!(issued.device_name, "approved");
        anyhow::Ok(())
    };
    tokio::select! {
        ended = others => bail!("nobody has decided: {:?}", ended.first()),
        done = work => done?,
    }
    fixture.stop().await
}

#[tokio::test]
async fn a_pattern_names_boxes_without_anybody_s_help() -> Result<()> {
    let fixture = Fixture::start().await?;
    let secret = token(&fixture, "shop-{n}", false).await?;
    for expected in ["shop-1", "shop-2"] {
        let known = TestBox::enroll_by(&fixture, &secret, "homeassistant").await?;
        let by = fleet::get_device_request::By::Id(known.device_id.clone());
        let request = with_token(fleet::GetDeviceRequest { by: Some(by) });
        let device = fixture.devices().await?.get_device(request).await?.into_inner().device.context("a device")?;
        assert_eq!(device.name, expected);
        assert_eq!(device.labels.get("group").map(String::as_str), Some("shops"));
    }
    for (pattern, problem) in [("shop", "placeholder"), ("Shop-{n}", "not 'S'"), ("shop-{x}", "{x}")] {
        let refused = token(&fixture, pattern, false).await.unwrap_err();
        let text = format!("{refused:#}");
        assert!(text.contains("name_pattern: ") && text.contains(problem), "{pattern}: {text}");
    }
    fixture.stop().await
}

#[tokio::test]
async fn what_waits_for_nobody_in_particular_is_on_no_list() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    crate::support::claim_code(&fixture, "by-code").await?;
    leave_waiting(&fixture, &KeyPair::generate()?, &token(&fixture, "", true).await?, "by-token").await?;
    let names: Vec<String> = waiting(&public).await?.into_iter().map(|waiting| waiting.name).collect();
    assert_eq!(names, ["by-token"]);
    fixture.stop().await
}

/// A box that comes again before the yes may say something else of itself, and be called something else.
#[tokio::test]
async fn a_yes_is_for_what_was_looked_at() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    let secret = token(&fixture, "{hostname}", true).await?;
    let (roots, key) = (learn_roots(&fixture).await?, KeyPair::generate()?);
    let come = async |hostname: &str| -> Result<fleet::Enrollment> {
        let (tell, mut told) = mpsc::unbounded_channel();
        tokio::select! {
            ended = enroll_telling(&fixture, &roots, &key, &secret, hostname, &tell) => bail!("nobody has decided: {ended:?}"),
            pending = told.recv() => pending.context("it waits")?,
        };
        waiting(&public).await?.pop().context("it waits")
    };
    let seen = come("shop-graz").await?;
    assert_eq!(come("shop-graz").await?.facts_hash, seen.facts_hash, "a box that only comes again is the same");
    let other = come("gateway-1").await?;
    assert_eq!((other.id.as_str(), other.name.as_str()), (seen.id.as_str(), "gateway-1"));
    let refused = approve_seen(&public, &seen).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted, "{refused:?}");
    approve_seen(&public, &other).await?;
    fixture.stop().await
}
