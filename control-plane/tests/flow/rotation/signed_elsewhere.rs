//! A rotation whose trust bundles are signed with a key that is in no database.

use super::{Operator, chain, learn};
use crate::support::ca::{passphrase, run_ca, text};
use crate::support::{Fixture, PATIENCE, TestBox, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::ca::CaError;
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use prost::Message;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tonic::{Code, Status};

/// Where the key is: a folder that no server knows.
struct Safe {
    folder: PathBuf,
    words: PathBuf,
}

impl Safe {
    /// Takes the key out of the database.
    async fn take(fixture: &Fixture) -> Result<Self> {
        let safe = Self {
            folder: fixture.folder().join("safe"),
            words: passphrase(fixture, "a passphrase that is long enough")?,
        };
        std::fs::create_dir(&safe.folder)?;
        let to = safe.folder.join("key");
        let words = ["bundle-key", "export", "--to", text(&to), "--remove", "--passphrase-file", text(&safe.words)];
        run_ca(fixture.config(), &words).await??;
        Ok(safe)
    }

    /// Signs what waits, with a key of some name.
    async fn sign(
        &self,
        fixture: &Fixture,
        unsigned: &SignedTrustBundle,
        key: &str,
        new_key: Option<&str>,
    ) -> Result<Result<SignedTrustBundle, CaError>> {
        let (bundle, to) = (self.folder.join("unsigned"), self.folder.join("signed"));
        std::fs::write(&bundle, unsigned.encode_to_vec())?;
        let key = self.folder.join(key);
        let mut words = vec!["sign-bundle", "--bundle", text(&bundle), "--key", text(&key), "--to", text(&to)];
        words.extend(["--passphrase-file", text(&self.words)]);
        let new_key = new_key.map(|name| self.folder.join(name));
        words.extend(new_key.as_deref().map(|path| ["--new-key", text(path)]).into_iter().flatten());
        if let Err(error) = run_ca(fixture.config(), &words).await? {
            return Ok(Err(error));
        }
        let signed = SignedTrustBundle::decode(std::fs::read(&to)?.as_slice())?;
        std::fs::remove_file(&to)?;
        Ok(Ok(signed))
    }
}

impl Operator {
    async fn unsigned(&mut self) -> Result<SignedTrustBundle, Status> {
        let request = with_token(fleet::GetUnsignedTrustBundleRequest {});
        Ok(self.0.get_unsigned_trust_bundle(request).await?.into_inner().bundle.unwrap_or_default())
    }

    async fn submit(&mut self, bundle: SignedTrustBundle) -> Result<fleet::Rotation, Status> {
        let request = with_token(fleet::SubmitTrustBundleRequest { bundle: Some(bundle) });
        Ok(self.0.submit_trust_bundle(request).await?.into_inner().rotation.unwrap_or_default())
    }

    async fn refused(&mut self, bundle: SignedTrustBundle) -> Result<Status> {
        self.submit(bundle).await.err().context("it was taken")
    }

    /// Goes on whether or not boxes have come along.
    async fn forward(&mut self, from: RotationPhase) -> Result<fleet::Rotation, Status> {
        let request = fleet::AdvanceRotationRequest { from: from.into(), force: true };
        Ok(self.0.advance_rotation(with_token(request)).await?.into_inner().rotation.unwrap_or_default())
    }

    async fn until_unsigned(&mut self) -> Result<fleet::Rotation> {
        let began = Instant::now();
        loop {
            let rotation = self.rotation().await?;
            if waits(&rotation) {
                return Ok(rotation);
            }
            ensure!(began.elapsed() < PATIENCE, "{rotation:?}");
        }
    }
}

fn waits(rotation: &fleet::Rotation) -> bool {
    rotation.reason.as_ref().is_some_and(|reason| reason.code == "rotation.unsigned")
}

async fn kept_keys(fixture: &Fixture) -> Result<i64> {
    let query = "SELECT count(*) FROM trust_bundle WHERE sealed_key IS NOT NULL";
    Ok(fixture.admin().await?.query_one(query, &[]).await?.get(0))
}

#[tokio::test]
async fn a_rotation_waits_for_bundles_that_are_signed_elsewhere() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    assert_eq!(operator.unsigned().await.unwrap_err().code(), Code::FailedPrecondition, "nothing waits");
    let safe = Safe::take(&fixture).await?;
    assert_eq!(kept_keys(&fixture).await?, 0);

    let asked = operator.start().await?;
    assert_eq!((asked.phase(), asked.trust_bundle_version, waits(&asked)), (RotationPhase::Steady, 1, true));
    let unsigned = operator.unsigned().await?;
    ensure!(unsigned.signature.is_empty());
    assert_eq!(chain(&fixture, 1).await?.len(), 1, "no box hears of what is not signed");

    // Neither another signature, nor another bundle, nor none.
    let refused = operator.refused(unsigned.clone()).await?;
    ensure!(refused.code() == Code::InvalidArgument && refused.message().contains("signature"), "{refused:?}");
    let signed = safe.sign(&fixture, &unsigned, "key", None).await??;
    let mut flipped = signed.clone();
    flipped.signature = rcgen_signature(&signed.bundle)?;
    let refused = operator.refused(flipped).await?;
    ensure!(refused.code() == Code::InvalidArgument && refused.message().starts_with("signature"), "{refused:?}");
    let mut other = TrustBundle::decode(unsigned.bundle.as_slice())?;
    other.certificate_authorities.truncate(1);
    let other = SignedTrustBundle { bundle: other.encode_to_vec(), signature: Vec::new() };
    let other = safe.sign(&fixture, &other, "key", None).await??;
    let refused = operator.refused(other).await?;
    ensure!(refused.code() == Code::InvalidArgument && refused.message().starts_with("bundle"), "{refused:?}");

    let begun = operator.submit(signed.clone()).await?;
    assert_eq!((begun.phase(), begun.next_authority, begun.trust_bundle_version), (RotationPhase::Trust, 2, 2));
    assert_eq!(operator.refused(signed).await?.code(), Code::FailedPrecondition, "twice");
    // A box believes both.
    let mut session = TestBox::enroll(&fixture, "cellar").await?.open().await?;
    assert_eq!(learn(&mut session).await?.len(), 2);
    operator.forward(RotationPhase::Trust).await?;
    operator.forward(RotationPhase::Issue).await?;

    // The end needs another bundle. Whoever signs it may name another key, too.
    let asked = operator.forward(RotationPhase::Drain).await?;
    assert_eq!((asked.phase(), waits(&asked)), (RotationPhase::Drain, true));
    let unsigned = operator.unsigned().await?;
    assert_eq!(operator.forward(RotationPhase::Drain).await?.phase(), RotationPhase::Drain);
    assert_eq!(operator.unsigned().await?, unsigned, "asked again it is the same, for somebody may be signing it");
    let signed = safe.sign(&fixture, &unsigned, "key", Some("new-key")).await??;
    let ended = operator.submit(signed).await?;
    assert_eq!((ended.phase(), ended.current_authority, ended.reason), (RotationPhase::Steady, 2, None));
    let bundles = chain(&fixture, 3).await?;
    ensure!(bundles[0].bundle_key == bundles[1].bundle_key && bundles[1].bundle_key != bundles[2].bundle_key);

    // The old key signs nothing any more, and does not come back.
    operator.start().await?;
    let unsigned = operator.unsigned().await?;
    let error = safe.sign(&fixture, &unsigned, "key", None).await?.err().context("it signs")?;
    ensure!(matches!(error, CaError::OtherBundleKey(_)), "{error}");
    let import = async |name: &str| {
        let (from, words) = (safe.folder.join(name), &safe.words);
        run_ca(fixture.config(), &["bundle-key", "import", "--from", text(&from), "--passphrase-file", text(words)])
            .await
    };
    let error = import("key").await?.err().context("it was taken")?;
    ensure!(matches!(error, CaError::OtherBundleKey(_)), "{error}");
    import("new-key").await??;
    assert_eq!(kept_keys(&fixture).await?, 1);
    assert_eq!(operator.unsigned().await.unwrap_err().code(), Code::FailedPrecondition, "what waited is void");
    assert_eq!(operator.start().await?.phase(), RotationPhase::Trust, "and is signed here again");
    fixture.stop().await
}

/// A signature over a bundle with a key that nobody named.
fn rcgen_signature(bundle: &[u8]) -> Result<Vec<u8>> {
    use rcgen::SigningKey as _;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    Ok(key.sign(&[b"kaliun trust bundle v1\0", bundle].concat())?)
}

#[tokio::test]
async fn a_rotation_by_itself_waits_for_its_last_bundle() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut operator = Operator::new(&fixture).await?;
    let safe = Safe::take(&fixture).await?;
    let asked = operator.start_by_itself(Duration::from_secs(3_600)).await?;
    assert_eq!((asked.phase(), asked.is_automatic), (RotationPhase::Steady, false));
    let signed = safe.sign(&fixture, &operator.unsigned().await?, "key", None).await??;
    let begun = operator.submit(signed).await?;
    assert_eq!((begun.phase(), begun.is_automatic, begun.grace_ms), (RotationPhase::Trust, true, 3_600_000));
    for phase in [RotationPhase::Issue, RotationPhase::Drain] {
        fixture.advance(Duration::from_secs(61));
        operator.until_phase(phase).await?;
    }
    fixture.advance(Duration::from_secs(61));
    let waiting = operator.until_unsigned().await?;
    assert_eq!(waiting.phase(), RotationPhase::Drain);
    // However often it is looked at, and by whom: it stays the same bundle.
    let unsigned = operator.unsigned().await?;
    fixture.advance(Duration::from_secs(3_600));
    fixture.replica().await?.stop().await;
    assert_eq!(operator.unsigned().await?, unsigned);
    let ended = operator.submit(safe.sign(&fixture, &unsigned, "key", None).await??).await?;
    assert_eq!((ended.phase(), ended.current_authority), (RotationPhase::Steady, 2));
    assert_eq!(chain(&fixture, 3).await?.len(), 3);
    fixture.stop().await
}
