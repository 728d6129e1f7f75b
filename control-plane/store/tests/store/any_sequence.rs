//! No sequence of claims, denials, expiries, retries, crashes between and inside steps, and approvals at once yields two certificates
//! for one claim, a certificate for a key that was not proved, or a dead claim that still works.
//!
//! Made-up sequences run against the real store. After each step the rows are looked at, behind the store's back.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::support::{FACTS_HASH, Fixture, actor, grant, new_device};
use anyhow::{Context, Result, ensure};
use kaliun_domain::enrollment::EnrollmentState;
use kaliun_domain::name_pattern::NameParts;
use kaliun_store::{
    Approval, ByToken, ClaimChecked, Enrolled, EnrollmentRow, NewClaim, NewJoinToken, NotApproved, OrganizationScope,
};
use kaliun_types::claim_check::CHECK_TRIES;
use kaliun_types::id::EnrollmentId;
use kaliun_types::label::Labels;
use kaliun_types::name::DeviceName;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Made-up sequences. Each takes about a tenth of a second.
const CASES: u32 = 80;
const STEPS_MAX: usize = 32;
/// Boxes in a case, so that one's codes can be tried while the other waits.
const BOXES: usize = 2;

/// What somebody does with a code.
#[derive(Debug, Clone, Copy)]
enum Act {
    LookUp,
    /// With what the box's screen shows, into one of the organizations, most often after looking the code up.
    Approve {
        second: bool,
        looks_up: bool,
    },
    /// With something else.
    ApproveWrongly {
        looks_up: bool,
    },
    Deny,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The box proves its key and waits by code: for the first time, or because its stream broke.
    Wait(usize),
    /// The same with a join token whose boxes an operator decides about.
    Come(usize),
    /// Somebody does something with the code that this box had so many codes ago.
    With(usize, usize, Act),
    /// Two people do something with its newest code in the same moment.
    AtOnce(usize, Act, Act),
    /// The process dies so many microseconds into that.
    Crash(usize, Act, u64),
    /// The box's stream of so many streams ago reveals its bytes.
    Reveal(usize, usize),
    /// The code, or the wait for an operator, runs out.
    Expire(usize),
    /// An operator says yes to the box that came with the token; twice at once or once.
    Admit(usize, bool),
    TurnAway(usize),
    /// The box's stream takes what was decided; twice at once, as from a stream that is not known to be dead, or once.
    Collect(usize, bool),
    /// The process dies while the certificate is being noted.
    CrashCollect(usize, u64),
    Delete(usize),
    CleanUp,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::LookUp),
        6 => (any::<bool>(), proptest::bool::weighted(0.8)).prop_map(|(second, looks_up)| Act::Approve { second, looks_up }),
        4 => proptest::bool::weighted(0.8).prop_map(|looks_up| Act::ApproveWrongly { looks_up }),
        2 => Just(Act::Deny),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let a_box = 0..BOXES;
    let micros = 0_u64..6_000;
    prop_oneof![
        9 => a_box.clone().prop_map(Step::Wait),
        2 => a_box.clone().prop_map(Step::Come),
        10 => (a_box.clone(), prop_oneof![4 => Just(0_usize), 1 => 1_usize..4], act()).prop_map(|(b, ago, act)| Step::With(b, ago, act)),
        3 => (a_box.clone(), act(), act()).prop_map(|(b, one, two)| Step::AtOnce(b, one, two)),
        3 => (a_box.clone(), act(), micros.clone()).prop_map(|(b, act, micros)| Step::Crash(b, act, micros)),
        4 => (a_box.clone(), prop_oneof![3 => Just(0_usize), 1 => 1_usize..3]).prop_map(|(b, ago)| Step::Reveal(b, ago)),
        1 => a_box.clone().prop_map(Step::Expire),
        2 => (a_box.clone(), any::<bool>()).prop_map(|(b, twice)| Step::Admit(b, twice)),
        1 => a_box.clone().prop_map(Step::TurnAway),
        7 => (a_box.clone(), any::<bool>()).prop_map(|(b, twice)| Step::Collect(b, twice)),
        1 => (a_box.clone(), micros).prop_map(|(b, micros)| Step::CrashCollect(b, micros)),
        1 => a_box.prop_map(Step::Delete),
        1 => Just(Step::CleanUp),
    ]
}

/// A box, and what its stream and the people before it know.
#[derive(Default)]
struct TestBox {
    key: [u8; 32],
    /// All codes that its screen ever showed, the newest last.
    codes: Vec<String>,
    enrollment: Option<EnrollmentId>,
    /// Its streams by code: the row, the place among the row's streams, and the bytes that it keeps to itself. The newest last.
    streams: Vec<(EnrollmentId, i64, [u8; 32])>,
}

struct Case<'a> {
    fixture: &'a Fixture,
    secret: [u8; 32],
    boxes: Vec<TestBox>,
    /// Codes that were seen to be dead. Nothing brings one back.
    dead: HashSet<String>,
    approvals: HashMap<String, u32>,
    misses: HashMap<String, u32>,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

fn fresh() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

fn fresh_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&fresh().to_be_bytes());
    bytes
}

impl<'a> Case<'a> {
    async fn begin(fixture: &'a Fixture) -> Result<Self> {
        let secret = fresh_bytes();
        let token = NewJoinToken {
            description: "test",
            secret_hash: &secret,
            labels: &Labels::new(),
            name_pattern: None,
            needs_approval: true,
            max_uses: 2,
            expires_at: SystemTime::now() + Duration::from_secs(3_600),
        };
        fixture.store.app.join_token_insert(&fixture.first, &actor(), token).await?;
        let boxes = (0..BOXES).map(|_| TestBox { key: fresh_bytes(), ..TestBox::default() }).collect();
        let (dead, approvals, misses) = Default::default();
        Ok(Self { fixture, secret, boxes, dead, approvals, misses })
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        let system = &self.fixture.store.system;
        match step {
            Step::Wait(b) => self.wait(b).await?,
            Step::Come(b) => self.come(b).await?,
            Step::With(b, ago, act) => {
                let codes = &self.boxes[b].codes;
                if let Some(code) = codes.len().checked_sub(1 + ago).map(|place| codes[place].clone()) {
                    let done = self.act(b, &code, act).await?;
                    self.count(&code, act, done)?;
                }
            }
            Step::AtOnce(b, one, two) => {
                if let Some(code) = self.boxes[b].codes.last().cloned() {
                    let (first, second) = tokio::join!(self.act(b, &code, one), self.act(b, &code, two));
                    self.count(&code, one, first?)?;
                    self.count(&code, two, second?)?;
                }
            }
            Step::Crash(b, act, micros) => {
                if let Some(code) = self.boxes[b].codes.last().cloned() {
                    let acting = self.act(b, &code, act);
                    if let Ok(done) = tokio::time::timeout(Duration::from_micros(micros), acting).await {
                        self.count(&code, act, done?)?;
                    }
                }
            }
            Step::Reveal(b, ago) => {
                let streams = &self.boxes[b].streams;
                if let Some(place) = streams.len().checked_sub(1 + ago) {
                    let (id, begun_count, bytes) = streams[place];
                    let counts = system.enrollment_reveal(id, begun_count, &bytes).await?;
                    ensure!(!counts || ago == 0, "an older stream revealed");
                }
            }
            Step::Expire(b) => {
                let expire = "UPDATE enrollment SET code_expires_at = now() - interval '1 second' WHERE key_hash = $1 AND state <> 2";
                self.fixture.admin.execute(expire, &[&self.boxes[b].key.as_slice()]).await?;
            }
            Step::Admit(b, twice) => self.admit(b, twice).await?,
            Step::TurnAway(b) => {
                if let Some(id) = self.boxes[b].enrollment {
                    system.enrollment_turn_away(&self.fixture.first, &actor(), id).await?;
                }
            }
            Step::Collect(b, twice) => {
                if let Some(id) = self.boxes[b].enrollment {
                    let now = SystemTime::now();
                    let (one, two) = tokio::join!(system.enrollment_collect(id, grant(), now), async {
                        if twice { system.enrollment_collect(id, grant(), now).await.map(Some) } else { Ok(None) }
                    });
                    let given: Vec<Enrolled> =
                        [Some(one?), two?].into_iter().flatten().filter_map(Result::ok).collect();
                    ensure!(
                        given.iter().filter(|given| given.is_new).count() <= 1,
                        "given twice as if it were the first time"
                    );
                    for given in given {
                        self.is_own(b, &given).await?;
                    }
                }
            }
            Step::CrashCollect(b, micros) => {
                if let Some(id) = self.boxes[b].enrollment {
                    let collecting = system.enrollment_collect(id, grant(), SystemTime::now());
                    let _died = tokio::time::timeout(Duration::from_micros(micros), collecting).await;
                }
            }
            Step::Delete(b) => {
                let delete = "UPDATE device SET deleted_at = now() WHERE key_hash = $1 AND deleted_at IS NULL";
                self.fixture.admin.execute(delete, &[&self.boxes[b].key.as_slice()]).await?;
            }
            Step::CleanUp => {
                self.fixture
                    .admin
                    .batch_execute("UPDATE enrollment SET code_expires_at = code_expires_at - interval '1 hour' WHERE code_expires_at < now()")
                    .await?;
                system.enrollment_delete_expired(100).await?;
            }
        }
        self.look().await
    }

    async fn wait(&mut self, b: usize) -> Result<()> {
        let code = format!("{:08}", fresh());
        let (key, name, now) = (self.boxes[b].key, DeviceName::parse("box")?, SystemTime::now());
        let bytes = fresh_bytes();
        let commitment: Vec<u8> = self.fixture.admin.query_one("SELECT sha256($1)", &[&bytes.as_slice()]).await?.get(0);
        let claim = NewClaim {
            code: &code,
            lifetime: Duration::from_secs(900),
            source_address: "::1",
            commitment: commitment.as_slice().try_into()?,
            nonce: &fresh_bytes(),
        };
        let system = &self.fixture.store.system;
        let waiting = system.enrollment_wait(&new_device(&key, &name), &claim, now).await?;
        let Ok(row) = waiting else { return Ok(()) };
        ensure!(row.check_bytes.is_none() || row.state == EnrollmentState::Approved, "revealed by an older stream");
        self.boxes[b].streams.push((row.id, row.begun_count, bytes));
        ensure!(row.key_hash == key, "another box's row");
        self.boxes[b].enrollment = Some(row.id);
        if let Some(shown) = row.claim_code {
            ensure!(!self.dead.contains(&shown), "a dead code is shown");
            if self.boxes[b].codes.last() != Some(&shown) {
                ensure!(shown == code, "an older code is shown again");
                self.boxes[b].codes.push(shown);
            }
        }
        Ok(())
    }

    async fn come(&mut self, b: usize) -> Result<()> {
        let (key, name, now) = (self.boxes[b].key, DeviceName::parse("box")?, SystemTime::now());
        let system = &self.fixture.store.system;
        match system.enroll_by_token(&self.secret, &new_device(&key, &name), "::1", now).await? {
            Ok(ByToken::Waits(row)) => {
                ensure!(row.key_hash == key, "another box's row");
                self.boxes[b].enrollment = Some(row.id);
            }
            // It has its device, and gets its certificate again.
            Ok(ByToken::Enrolled(enrolled)) => {
                ensure!(!enrolled.is_new, "nobody has said yes");
                self.is_own(b, &enrolled).await?;
            }
            Err(_refused) => {}
        }
        Ok(())
    }

    /// Does something with a code. Answers whether it worked.
    async fn act(&self, b: usize, code: &str, act: Act) -> Result<bool> {
        let (fixture, system) = (self.fixture, &self.fixture.store.system);
        let scope: &OrganizationScope =
            if matches!(act, Act::Approve { second: true, .. }) { &fixture.second } else { &fixture.first };
        match act {
            Act::LookUp => self.look_up(b, code, scope).await,
            Act::Deny => Ok(system.enrollment_deny(scope, &actor(), code).await?.is_some()),
            Act::Approve { looks_up, .. } => {
                if looks_up {
                    self.look_up(b, code, scope).await?;
                }
                // What the box's screen shows is what its stream was told, with what that stream revealed.
                let Some((id, _, bytes)) = self.boxes[b].streams.last().copied() else { return Ok(false) };
                let shown = system.enrollment_get(id).await?.and_then(|row| row.check_nonce);
                let is_right = move |row: &EnrollmentRow| {
                    row.id == id && row.check_nonce == shown && row.check_bytes == Some(bytes)
                };
                let checked = system.claim_check(scope, &actor(), code, &is_right).await?;
                let ClaimChecked::Right(row) = checked else { return Ok(false) };
                ensure!(row.check_nonce.is_some(), "right before anybody has entered the code");
                ensure!(row.check_bytes.is_some(), "right before the box has answered");
                let outcome = system.enrollment_approve(scope, &actor(), code, &row, self.yes(&row)).await;
                Ok(outcome?.is_ok())
            }
            Act::ApproveWrongly { looks_up } => {
                if looks_up {
                    self.look_up(b, code, scope).await?;
                }
                match system.claim_check(scope, &actor(), code, &|_| false).await? {
                    ClaimChecked::Right(_) => anyhow::bail!("a wrong check is right"),
                    ClaimChecked::Wrong { .. } | ClaimChecked::Ended(_) => Ok(true),
                    ClaimChecked::NoSuchCode | ClaimChecked::NotLookedUp | ClaimChecked::NotRevealed => Ok(false),
                }
            }
        }
    }

    /// Looks a code up, and the box's newest stream answers.
    async fn look_up(&self, b: usize, code: &str, scope: &OrganizationScope) -> Result<bool> {
        let system = &self.fixture.store.system;
        let is_found = system.claim_look_up(scope, code, &fresh_bytes()).await?.is_some();
        if let Some((id, begun_count, bytes)) = self.boxes[b].streams.last() {
            system.enrollment_reveal(*id, *begun_count, bytes).await?;
        }
        Ok(is_found)
    }

    fn yes(&self, _row: &EnrollmentRow) -> Approval<'static> {
        static NONE: Labels = Labels::new();
        Approval {
            installation: None,
            name: None,
            parts: NameParts { hostname: "box", model: "", serial: "", key_hash: &[] },
            labels: &NONE,
            facts_hash: &FACTS_HASH,
            certificate: grant(),
        }
    }

    /// Whatever works with a code, works with a living one, and a yes once.
    fn count(&mut self, code: &str, act: Act, worked: bool) -> Result<()> {
        ensure!(!worked || !self.dead.contains(code), "{act:?} worked with a dead code");
        if worked && matches!(act, Act::Approve { .. }) {
            let approvals = self.approvals.entry(code.to_owned()).or_default();
            *approvals += 1;
            ensure!(*approvals == 1, "one code was approved twice");
        }
        if worked && matches!(act, Act::ApproveWrongly { .. }) {
            let misses = self.misses.entry(code.to_owned()).or_default();
            *misses += 1;
            ensure!(*misses <= CHECK_TRIES, "{misses} wrong checks were judged");
        }
        Ok(())
    }

    async fn admit(&mut self, b: usize, twice: bool) -> Result<()> {
        let Some(id) = self.boxes[b].enrollment else { return Ok(()) };
        let system = &self.fixture.store.system;
        let Some(row) = system.enrollment_get(id).await? else { return Ok(()) };
        let (scope, now, by) = (&self.fixture.first, SystemTime::now(), actor());
        let (one, two) = tokio::join!(system.enrollment_admit(scope, &by, id, self.yes(&row), now), async {
            if twice { system.enrollment_admit(scope, &by, id, self.yes(&row), now).await.map(Some) } else { Ok(None) }
        });
        let outcomes: Vec<Result<Enrolled, NotApproved>> = [Some(one?), two?].into_iter().flatten().collect();
        let admitted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        ensure!(admitted <= 1, "admitted twice");
        ensure!(
            admitted == 0 || (row.state == EnrollmentState::Pending && row.claim_code.is_none()),
            "{row:?} did not wait for it"
        );
        Ok(())
    }

    /// The device that a box was given has the key that the box proved.
    async fn is_own(&self, b: usize, enrolled: &Enrolled) -> Result<()> {
        let key: Vec<u8> = self
            .fixture
            .admin
            .query_one("SELECT key_hash FROM device WHERE id = $1", &[&enrolled.device])
            .await?
            .get(0);
        ensure!(key == self.boxes[b].key, "a certificate for a key that this box has not proved");
        Ok(())
    }

    /// Looks at what is true now.
    async fn look(&mut self) -> Result<()> {
        let admin = &self.fixture.admin;
        let keys: Vec<Vec<u8>> = self.boxes.iter().map(|known| known.key.to_vec()).collect();
        let alive = "SELECT claim_code FROM enrollment
                     WHERE key_hash = ANY($1) AND claim_code IS NOT NULL AND state = 1 AND code_expires_at > now()";
        let alive: HashSet<String> = admin.query(alive, &[&keys]).await?.iter().map(|row| row.get(0)).collect();
        for code in self.boxes.iter().flat_map(|known| &known.codes) {
            ensure!(!(self.dead.contains(code) && alive.contains(code)), "{code} came back to life");
            if !alive.contains(code) {
                self.dead.insert(code.clone());
            }
        }
        let devices =
            "SELECT count(*) FILTER (WHERE deleted_at IS NULL) FROM device WHERE key_hash = ANY($1) GROUP BY key_hash";
        for row in admin.query(devices, &[&keys]).await? {
            ensure!(row.get::<_, i64>(0) <= 1, "two devices live with one key");
        }
        let first_certificates =
            "SELECT count(*) FILTER (WHERE c.cause = 1) FROM device d JOIN device_certificate c ON c.device_id = d.id
                                  WHERE d.key_hash = ANY($1) GROUP BY d.id";
        for row in admin.query(first_certificates, &[&keys]).await? {
            ensure!(row.get::<_, i64>(0) == 1, "a device came in by {} certificates", row.get::<_, i64>(0));
        }
        let claims = "SELECT count(*) FROM enrollment e WHERE e.key_hash = ANY($1) AND (
                          (e.state = 2) <> (e.device_id IS NOT NULL)
                          OR e.state = 2 AND NOT EXISTS (SELECT FROM device d WHERE d.id = e.device_id AND d.key_hash = e.key_hash)
                          OR e.collected_at IS NOT NULL AND e.state <> 2)";
        let broken: i64 = admin.query_one(claims, &[&keys]).await?.get(0);
        ensure!(broken == 0, "{broken} rows say of a box what is not so");
        let uses = "SELECT t.uses, t.max_uses, (SELECT count(*) FROM audit a WHERE a.action = 'device.enroll' AND a.target IN (
                        SELECT 'device/' || d.id FROM device d WHERE d.key_hash = ANY($2) AND d.organization_id = t.organization_id))
                    FROM join_token t WHERE t.secret_hash = $1";
        let row = admin.query_opt(uses, &[&self.secret.as_slice(), &keys]).await?.context("a token")?;
        let (used, most, enrolled): (i32, i32, i64) = (row.get(0), row.get(1), row.get(2));
        ensure!(used <= most && i64::from(used) <= enrolled, "{used} of {most} uses for {enrolled} devices");
        Ok(())
    }
}

#[test]
fn no_sequence_gives_two_certificates_for_a_claim_or_lets_a_dead_one_work() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fixture = runtime.block_on(Fixture::new())?;
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
        ("boxes were turned away", "SELECT count(*) FROM audit WHERE action IN ('claim.deny', 'enrollment.deny')"),
    ];
    let mut counts = Vec::new();
    for (what, how_many) in happened {
        counts.push((what, fixture.admin.query_one(how_many, &[]).await?.get::<_, i64>(0)));
    }
    // Each is several times as often on average.
    ensure!(counts.iter().all(|(_what, count)| *count >= 3), "{counts:?}");
    Ok(())
}
