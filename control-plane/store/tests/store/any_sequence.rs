//! No sequence of claims, denials, expiries, retries, crashes between and inside steps, revocations and approvals at once yields two
//! certificates for one claim, a certificate for another key than the box's, one for a revoked device, or a dead claim that still works.
//! That a key is proved before it comes so far is for the service to see to: `flow/refusals.rs` of the control plane.
//!
//! Made-up sequences run against the real store. After each step the rows are looked at, behind the store's back.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod case;
mod steps;

use crate::support::Fixture;
use anyhow::{Context, Result, ensure};
use case::{AT_ONCE, CRASHES, Case, TOGETHER, refuse_certificates_of_revoked};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::sync::atomic::Ordering;
use steps::step;

/// Made-up sequences. Each takes about a tenth of a second.
const CASES: u32 = 100;
const STEPS_MAX: usize = 32;

#[test]
fn no_sequence_gives_two_certificates_for_a_claim_or_lets_a_dead_one_work() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fixture = runtime.block_on(Fixture::new())?;
    runtime.block_on(refuse_certificates_of_revoked(&fixture))?;
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..STEPS_MAX);
    // The same sequences each time, so that what happened in them is known.
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, random).run(&steps, |steps| {
        let run = async {
            let mut case = Case::begin(&fixture).await?;
            for (number, step) in steps.into_iter().enumerate() {
                case.take(step).await.with_context(|| format!("step {number}, {step:?}"))?;
            }
            anyhow::Ok(())
        };
        runtime.block_on(run).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    outcome.map_err(|failed| anyhow::anyhow!("{failed}"))?;
    runtime.block_on(enough_happened(&fixture))
}

/// What was made up led to something: a test of nothing proves nothing.
async fn enough_happened(fixture: &Fixture) -> Result<()> {
    let happened = [
        ("boxes were taken in", "SELECT count(*) FROM audit WHERE action = 'device.enroll'"),
        ("certificates were given", "SELECT count(*) FROM device_certificate WHERE cause = 1"),
        ("certificates were given again", "SELECT count(*) FROM device_certificate WHERE cause = 2"),
        ("checks were wrong", "SELECT count(*) FROM audit WHERE action = 'claim.check_failed'"),
        ("devices were revoked", "SELECT count(*) FROM device WHERE revoked_at IS NOT NULL"),
        ("boxes proved their keys", "SELECT count(*) FROM device_certificate WHERE cause = 4"),
        ("boxes were turned away", "SELECT count(*) FROM audit WHERE action IN ('claim.deny', 'enrollment.deny')"),
    ];
    let mut counts = Vec::new();
    for (what, how_many) in happened {
        counts.push((what, fixture.admin.query_one(how_many, &[]).await?.get::<_, i64>(0)));
    }
    for (what, count) in [("worked at once", &AT_ONCE), ("died inside", &CRASHES), ("came together", &TOGETHER)] {
        counts.push((what, i64::try_from(count.load(Ordering::Relaxed))?));
    }
    // Each is several times as often on average.
    ensure!(counts.iter().all(|(_what, count)| *count >= 3), "{counts:?}");
    Ok(())
}
