//! From one authority to the next, seen by a box and by whoever runs the control plane.

mod by_itself;
mod paused;
mod signed_elsewhere;

use crate::floods::{other_join_token, other_organization};
use crate::support::{Fixture, PATIENCE, Session, TestBox, refusal, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_proto::enrollment::v1::TrustBundle;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use kaliun_proto::link::v1::TrustHeld;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use prost::Message;
use rustls::pki_types::CertificateDer;
use std::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// Whoever runs the control plane.
struct Operator(AuthorityServiceClient<Channel>);

impl Operator {
    async fn new(fixture: &Fixture) -> Result<Self> {
        Ok(Self(AuthorityServiceClient::new(fixture.public().await?)))
    }

    async fn rotation(&mut self) -> Result<fleet::Rotation> {
        let answer = self.0.get_rotation(with_token(fleet::GetRotationRequest {})).await?;
        answer.into_inner().rotation.context("a rotation")
    }

    async fn start(&mut self) -> Result<fleet::Rotation, Status> {
        let answer = self.0.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
        Ok(answer.into_inner().rotation.unwrap_or_default())
    }

    async fn advance(&mut self, from: RotationPhase) -> Result<fleet::Rotation, Status> {
        self.advance_by(from, false).await
    }

    async fn advance_by(&mut self, from: RotationPhase, force: bool) -> Result<fleet::Rotation, Status> {
        let request = fleet::AdvanceRotationRequest { from: from.into(), force };
        Ok(self.0.advance_rotation(with_token(request)).await?.into_inner().rotation.unwrap_or_default())
    }

    async fn roll_back(&mut self, from: RotationPhase) -> Result<fleet::Rotation, Status> {
        let request = fleet::RollBackRotationRequest { from: from.into(), force: false };
        Ok(self.0.roll_back_rotation(with_token(request)).await?.into_inner().rotation.unwrap_or_default())
    }

    async fn stragglers(&mut self) -> Result<Vec<String>> {
        self.listed(false).await
    }

    async fn listed(&mut self, backwards: bool) -> Result<Vec<String>> {
        let request = fleet::ListStragglersRequest { backwards, ..fleet::ListStragglersRequest::default() };
        let list = self.0.list_stragglers(with_token(request)).await?.into_inner();
        Ok(list.stragglers.into_iter().map(|one| one.device_name).collect())
    }

    /// Waits until so many have come along.
    async fn until_ready(&mut self, count: u64) -> Result<()> {
        let began = Instant::now();
        loop {
            let rotation = self.rotation().await?;
            if rotation.ready_count == count {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{rotation:?}");
        }
    }
}

/// Takes the bundles that the server tells, and says so. Answers the authorities that the newest one names.
pub(crate) async fn learn(session: &mut Session) -> Result<Vec<CertificateDer<'static>>> {
    loop {
        if let ServerWord::TrustBundles(told) = session.next().await? {
            let newest = told.bundles.last().context("a bundle")?;
            let bundle = TrustBundle::decode(newest.bundle.as_slice())?;
            session.send(DeviceWord::TrustHeld(TrustHeld { version: bundle.version })).await?;
            return Ok(bundle.certificate_authorities.into_iter().map(CertificateDer::from).collect());
        }
    }
}

/// Waits to be asked, asks, and takes the next certificate.
pub(crate) async fn renew(session: &mut Session, known: &mut TestBox) -> Result<()> {
    while !matches!(session.next().await?, ServerWord::RenewCertificate(_)) {}
    known.chain = session.renew(&known.key).await?;
    Ok(())
}

#[tokio::test]
async fn a_rotation_brings_a_box_along_and_leaves_the_old_authority_behind() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    let (old_roots, old_chain) = (known.roots.clone(), known.chain.clone());
    let mut session = known.open().await?;
    let first = learn(&mut session).await?;
    assert_eq!(first, old_roots);
    operator.until_ready(1).await?;

    let begun = operator.start().await?;
    assert_eq!(
        (begun.phase(), begun.current_authority, begun.next_authority, begun.trust_bundle_version),
        (RotationPhase::Trust, 1, 2, 2)
    );
    assert_eq!(operator.start().await.unwrap_err().code(), Code::FailedPrecondition, "one at a time");
    assert_eq!(operator.stragglers().await?, ["cellar"]);
    let refused = operator.advance(RotationPhase::Trust).await.unwrap_err();
    ensure!(
        refused.code() == Code::FailedPrecondition && refused.message().starts_with("1 of 1 devices"),
        "{refused:?}"
    );

    // The box hears of it in its session, and believes both.
    known.roots = learn(&mut session).await?;
    assert_eq!(known.roots.len(), 2);
    operator.until_ready(1).await?;
    assert_eq!(operator.stragglers().await?, Vec::<String>::new());
    assert_eq!(
        operator.advance(RotationPhase::Drain).await.unwrap_err().code(),
        Code::FailedPrecondition,
        "another phase"
    );
    assert_eq!(operator.advance(RotationPhase::Trust).await?.phase(), RotationPhase::Issue);

    // It is asked to renew, and gets a certificate of the next authority. That counts once it shows it: what was granted may have
    // been lost on its way, and then the box is asked once more.
    renew(&mut session, &mut known).await?;
    assert_eq!(known.chain[1], known.roots[1]);
    assert_eq!((operator.rotation().await?.ready_count, operator.stragglers().await?), (0, vec!["cellar".to_owned()]));
    let next_chain = std::mem::replace(&mut known.chain, old_chain.clone());
    let mut session = known.open().await?;
    renew(&mut session, &mut known).await?;
    assert_eq!(operator.rotation().await?.ready_count, 0);
    known.chain = next_chain;
    let _shown = known.open().await?;
    operator.until_ready(1).await?;
    assert_eq!(operator.advance(RotationPhase::Issue).await?.phase(), RotationPhase::Drain);

    // The server shows a certificate of the next authority now: who believes the old one only does not connect.
    let began = Instant::now();
    while crate::support::secure_stream(fixture.device_address(), &old_roots, None).await.is_ok() {
        ensure!(began.elapsed() < PATIENCE, "the server still shows a certificate of the old authority");
    }
    let mut again = known.open().await.context("with both it connects")?;
    learn(&mut again).await?;
    operator.until_ready(1).await?;
    let ended = operator.advance(RotationPhase::Drain).await?;
    assert_eq!(
        (ended.phase(), ended.current_authority, ended.next_authority, ended.trust_bundle_version),
        (RotationPhase::Steady, 2, 0, 3)
    );

    // The old certificate is worth nothing any more, the new one is.
    let old = TestBox { chain: old_chain, ..known.copy()? };
    let began = Instant::now();
    while crate::support::bundles(&fixture).await?.len() < 3 {
        ensure!(began.elapsed() < PATIENCE, "the server does not follow");
    }
    let refused = old.open().await.err().context("the old certificate is still taken")?;
    let status = refused.downcast_ref::<Status>().context("a status")?;
    ensure!(status.message().starts_with("peer.unknown_issuer"), "{status:?}");
    let mut session = known.open().await?;
    assert_eq!(learn(&mut session).await?, known.roots[1..]);
    fixture.stop().await
}

#[tokio::test]
async fn a_rotation_is_taken_back_while_a_box_has_the_next_certificate() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    let old_root = known.roots[0].clone();
    let mut session = known.open().await?;
    learn(&mut session).await?;
    operator.start().await?;
    known.roots = learn(&mut session).await?;
    operator.until_ready(1).await?;
    operator.advance(RotationPhase::Trust).await?;
    renew(&mut session, &mut known).await?;
    let mut session = known.open().await?;
    operator.until_ready(1).await?;

    // Back to trust: the old authority issues again, and the box is asked to renew once more.
    assert_eq!(operator.roll_back(RotationPhase::Issue).await?.phase(), RotationPhase::Trust);
    let refused = operator.roll_back(RotationPhase::Trust).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "its certificate would be believed by nobody");
    ensure!(refused.message().starts_with("1 of 1 devices have a certificate of the next authority"), "{refused:?}");
    ensure!(refused.message().contains("fleetctl ca stragglers --backwards"), "{refused:?}");
    assert_eq!(operator.listed(true).await?, ["cellar"]);
    renew(&mut session, &mut known).await?;
    assert_eq!(known.chain[1], old_root);
    let refused = operator.roll_back(RotationPhase::Trust).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "it has not shown that it has the other one");
    let mut session = known.open().await?;
    assert_eq!(learn(&mut session).await?.len(), 2);
    assert_eq!(operator.listed(true).await?, Vec::<String>::new());
    let back = operator.roll_back(RotationPhase::Trust).await?;
    assert_eq!((back.phase(), back.current_authority, back.trust_bundle_version), (RotationPhase::Steady, 1, 3));
    assert_eq!(learn(&mut session).await?, [old_root]);
    known.open().await?;

    // The next one has a number of its own: what was taken back is never used again.
    assert_eq!(operator.start().await?.next_authority, 3);
    fixture.stop().await
}

/// A box that sleeps since another authority, or was never connected, has nothing to lose.
#[tokio::test]
async fn a_rotation_is_taken_back_at_once_though_a_box_sleeps() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let asleep = TestBox::enroll(&fixture, "asleep").await?;
    let mut session = asleep.open().await?;
    learn(&mut session).await?;
    operator.until_ready(1).await?;
    drop(session);
    operator.start().await?;
    for phase in [RotationPhase::Trust, RotationPhase::Issue, RotationPhase::Drain] {
        operator.advance_by(phase, true).await?;
    }
    TestBox::enroll(&fixture, "never seen").await?;
    assert_eq!(operator.start().await?.next_authority, 3);
    assert_eq!(operator.listed(true).await?, Vec::<String>::new());
    assert_eq!(operator.roll_back(RotationPhase::Trust).await?.phase(), RotationPhase::Steady);
    fixture.stop().await
}

/// Whoever runs the control plane waits for the boxes of all organizations, and sees how many there are and how they stand. Which they are, is
/// theirs to know.
#[tokio::test]
async fn a_rotation_waits_for_other_organizations_too_and_lists_them_without_names() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let ours = TestBox::enroll(&fixture, "cellar").await?;
    other_organization(&fixture.admin().await?).await?;
    let (_id, join_token) = other_join_token(&fixture).await?;
    TestBox::enroll_by(&fixture, &join_token, "attic").await?;
    operator.start().await?;
    let request = with_token(fleet::ListStragglersRequest::default());
    let listed = operator.0.list_stragglers(request).await?.into_inner().stragglers;
    let mut listed: Vec<_> = listed.into_iter().map(|one| (one.device_id, one.device_name)).collect();
    listed.sort();
    assert_eq!(listed, [(String::new(), String::new()), (ours.device_id, "cellar".to_owned())]);
    fixture.stop().await
}

/// Each rotation and each one that is taken back takes of what boxes have room for; the last of it is for the day on which a key leaks.
#[tokio::test]
async fn the_last_rotation_that_boxes_have_room_for_is_kept() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    assert_eq!(operator.rotation().await?.rotations_left, 63);
    for left in (1..=62).rev() {
        operator.start().await?;
        assert_eq!(operator.roll_back(RotationPhase::Trust).await?.rotations_left, left);
    }
    let refused = operator.start().await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    ensure!(refused.message().contains("fleetctl ca rotate start --force"), "{refused:?}");
    let by_force = fleet::StartRotationRequest { force: true, ..fleet::StartRotationRequest::default() };
    operator.0.start_rotation(with_token(by_force)).await?;
    assert_eq!(operator.roll_back(RotationPhase::Trust).await?.rotations_left, 0);
    let refused = operator.0.start_rotation(with_token(by_force)).await.unwrap_err();
    ensure!(refused.message().starts_with("boxes keep 128 trust bundles"), "{refused:?}");
    fixture.stop().await
}

/// The chain of bundles as a box that knows nothing but its beginning follows it, once the server tells so many.
async fn chain(fixture: &Fixture, versions: usize) -> Result<Vec<TrustBundle>> {
    let began = Instant::now();
    while crate::support::bundles(fixture).await?.len() < versions {
        ensure!(began.elapsed() < PATIENCE, "the server does not follow");
    }
    let mut chain: Vec<TrustBundle> = Vec::new();
    for (version, signed) in (1..).zip(crate::support::bundles(fixture).await?) {
        let bundle = TrustBundle::decode(signed.bundle.as_slice())?;
        assert_eq!(bundle.version, version);
        let key = chain.last().map_or(&bundle.bundle_key, |before| &before.bundle_key);
        let message = [b"kaliun trust bundle v1\0", signed.bundle.as_slice()].concat();
        aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1, key)
            .verify(&message, &signed.signature)
            .map_err(|_| anyhow::anyhow!("version {version} does not follow"))?;
        chain.push(bundle);
    }
    Ok(chain)
}

/// A box that missed a whole rotation finds its server again by the chain of bundles alone.
#[tokio::test]
async fn a_box_that_missed_it_all_follows_the_chain() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    operator.start().await?;
    for phase in [RotationPhase::Trust, RotationPhase::Issue, RotationPhase::Drain] {
        operator.advance(phase).await?;
    }
    assert_eq!(chain(&fixture, 3).await?.len(), 3);
    fixture.stop().await
}

/// A box that did not come along when somebody went on all the same: what it holds open ends, and begins no more.
#[tokio::test]
async fn an_authority_that_is_gone_takes_its_links_with_it() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let channel = known.channel().await?;
    let mut session = known.open_over(channel.clone()).await?;
    operator.start().await?;
    for phase in [RotationPhase::Trust, RotationPhase::Issue, RotationPhase::Drain] {
        operator.advance_by(phase, true).await?;
    }
    let ended = session.end().await?;
    ensure!(ended.message().starts_with("peer.unknown_issuer"), "{ended:?}");
    let refused = refusal(channel).await?;
    ensure!(refused.message().starts_with("peer.unknown_issuer"), "{refused:?}");
    fixture.stop().await
}
