//! One made-up sequence, on the real store.

use super::steps::{Act, BOXES, Pair, Step, Way};
use crate::support::{FACTS_HASH, Fixture, actor, grant, new_device};
use anyhow::{Context, Result, ensure};
use kaliun_domain::enrollment::EnrollmentState;
use kaliun_domain::name_pattern::NameParts;
use kaliun_store::{
    Approval, ByToken, ClaimChecked, Enrolled, EnrollmentRow, NewClaim, NewJoinToken, NotApproved, OrganizationScope,
    StoreError,
};
use kaliun_types::claim_check::CHECK_TRIES;
use kaliun_types::id::EnrollmentId;
use kaliun_types::label::Labels;
use kaliun_types::name::DeviceName;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

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

pub(super) struct Case<'a> {
    fixture: &'a Fixture,
    /// Of a join token whose boxes an operator decides about, and of one that needs nobody's yes.
    secret: [u8; 32],
    free_secret: [u8; 32],
    boxes: Vec<TestBox>,
    /// Codes that were seen to be dead. Nothing brings one back.
    dead: HashSet<String>,
    approvals: HashMap<String, u32>,
    misses: HashMap<String, u32>,
}

static COUNTER: AtomicU64 = AtomicU64::new(0);
/// How often two people did something at once and it worked, a process died inside a step, and two things came together.
pub(super) static AT_ONCE: AtomicU64 = AtomicU64::new(0);
pub(super) static CRASHES: AtomicU64 = AtomicU64::new(0);
pub(super) static TOGETHER: AtomicU64 = AtomicU64::new(0);

fn fresh() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

fn fresh_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&fresh().to_be_bytes());
    bytes
}

/// Lets the database itself refuse certificates of devices that were revoked before: whoever grants one holds the device's row, so what
/// stands there then stood there before.
pub(super) async fn refuse_certificates_of_revoked(fixture: &Fixture) -> Result<()> {
    let watch = "CREATE FUNCTION no_certificate_when_revoked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                 BEGIN
                     IF EXISTS (SELECT FROM public.device WHERE id = NEW.device_id AND revoked_at IS NOT NULL) THEN
                         RAISE EXCEPTION 'a certificate for a revoked device';
                     END IF;
                     RETURN NEW;
                 END $$;
                 CREATE TRIGGER no_certificate_when_revoked BEFORE INSERT ON device_certificate
                     FOR EACH ROW EXECUTE FUNCTION no_certificate_when_revoked();";
    Ok(fixture.admin.batch_execute(watch).await?)
}

impl<'a> Case<'a> {
    pub(super) async fn begin(fixture: &'a Fixture) -> Result<Self> {
        let (secret, free_secret) = (fresh_bytes(), fresh_bytes());
        for (secret_hash, needs_approval) in [(&secret, true), (&free_secret, false)] {
            let token = NewJoinToken {
                description: "test",
                secret_hash,
                labels: &Labels::new(),
                name_pattern: None,
                needs_approval,
                max_uses: 2,
                expires_at: SystemTime::now() + Duration::from_secs(3_600),
            };
            fixture.store.app.join_token_insert(&fixture.first, &actor(), token).await?;
        }
        let boxes = (0..BOXES).map(|_| TestBox { key: fresh_bytes(), ..TestBox::default() }).collect();
        let (dead, approvals, misses) = Default::default();
        Ok(Self { fixture, secret, free_secret, boxes, dead, approvals, misses })
    }

    pub(super) async fn take(&mut self, step: Step) -> Result<()> {
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
                    if matches!((&first, &second), (Ok(true), _) | (_, Ok(true))) {
                        AT_ONCE.fetch_add(1, Ordering::Relaxed);
                    }
                    self.count(&code, one, first?)?;
                    self.count(&code, two, second?)?;
                }
            }
            Step::Crash(b, act, micros) => {
                if let Some(code) = self.boxes[b].codes.last().cloned() {
                    let acting = self.act(b, &code, act);
                    match tokio::time::timeout(Duration::from_micros(micros), acting).await {
                        Ok(done) => self.count(&code, act, done?)?,
                        Err(_died) => drop(CRASHES.fetch_add(1, Ordering::Relaxed)),
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
                    if tokio::time::timeout(Duration::from_micros(micros), collecting).await.is_err() {
                        CRASHES.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Step::Delete(b) => {
                let delete = "UPDATE device SET deleted_at = now() WHERE key_hash = $1 AND deleted_at IS NULL";
                self.fixture.admin.execute(delete, &[&self.boxes[b].key.as_slice()]).await?;
            }
            Step::Revoke(b) => self.revoke(b).await?,
            Step::ComeFreely(b) => self.come_freely(b).await?,
            Step::Recover(b) => self.recover(b).await?,
            Step::Together(b, pair) => self.together(b, pair).await?,
            Step::CrashOther(b, way, micros) => {
                let step = async {
                    match way {
                        Way::Admit => self.admit(b, false).await,
                        Way::ComeFreely => self.come_freely(b).await,
                        Way::Recover => self.recover(b).await,
                        Way::Revoke => self.revoke(b).await,
                    }
                };
                match tokio::time::timeout(Duration::from_micros(micros), step).await {
                    Ok(done) => done?,
                    Err(_died) => drop(CRASHES.fetch_add(1, Ordering::Relaxed)),
                }
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
        let waited = self.begin_to_wait(b).await?;
        self.waits(b, waited)
    }

    /// A stream of a box begins. Answers its row, the code that it was offered, and the bytes that it keeps to itself.
    async fn begin_to_wait(&self, b: usize) -> Result<Option<(EnrollmentRow, String, [u8; 32])>> {
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
        let waiting = match system.enrollment_wait(&new_device(&key, &name), &claim, now).await {
            // Its row was deleted in the same moment, by another way in; the box comes again.
            Err(StoreError::Stale { .. }) => return Ok(None),
            waiting => waiting?,
        };
        Ok(waiting.ok().map(|row| (row, code, bytes)))
    }

    fn waits(&mut self, b: usize, waited: Option<(EnrollmentRow, String, [u8; 32])>) -> Result<()> {
        let Some((row, code, bytes)) = waited else { return Ok(()) };
        let key = self.boxes[b].key;
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

    async fn come_freely(&self, b: usize) -> Result<()> {
        let (key, name, now) = (self.boxes[b].key, DeviceName::parse("box")?, SystemTime::now());
        let system = &self.fixture.store.system;
        match system.enroll_by_token(&self.free_secret, &new_device(&key, &name), "::1", now).await {
            Ok(Ok(ByToken::Enrolled(enrolled))) => self.is_own(b, &enrolled).await,
            // An operator has said yes to it already, and nobody has collected that.
            Ok(Ok(ByToken::Waits(row))) => {
                ensure!(row.key_hash == key && row.state == EnrollmentState::Approved, "it waits for nobody: {row:?}");
                Ok(())
            }
            Ok(Err(_refused)) => Ok(()),
            // The same key came by another way in the same moment; the box comes again.
            Err(StoreError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn recover(&self, b: usize) -> Result<()> {
        let system = &self.fixture.store.system;
        let recovered = system.certificate_recover(&self.boxes[b].key, grant(), SystemTime::now()).await?;
        if let Ok(enrolled) = recovered {
            self.is_own(b, &enrolled).await?;
        }
        Ok(())
    }

    /// Takes the right to connect of the device with a box's key, in whichever organization it is.
    async fn revoke(&self, b: usize) -> Result<()> {
        let live = "SELECT id FROM device WHERE key_hash = $1 AND deleted_at IS NULL";
        let Some(row) = self.fixture.admin.query_opt(live, &[&self.boxes[b].key.as_slice()]).await? else {
            return Ok(());
        };
        for scope in [&self.fixture.first, &self.fixture.second] {
            self.fixture.store.app.device_revoke(scope, &actor(), row.get(0)).await?;
        }
        Ok(())
    }

    async fn collect(&self, b: usize) -> Result<()> {
        let Some(id) = self.boxes[b].enrollment else { return Ok(()) };
        let system = &self.fixture.store.system;
        if let Ok(enrolled) = system.enrollment_collect(id, grant(), SystemTime::now()).await? {
            self.is_own(b, &enrolled).await?;
        }
        Ok(())
    }

    async fn together(&mut self, b: usize, pair: Pair) -> Result<()> {
        let outcomes = match pair {
            Pair::CollectAndRevoke => tokio::join!(self.collect(b), self.revoke(b)),
            Pair::RecoverAndRevoke => tokio::join!(self.recover(b), self.revoke(b)),
            Pair::CollectAndRecover => tokio::join!(self.collect(b), self.recover(b)),
            Pair::ComeFreelyAndWait => {
                let (came, waited) = tokio::join!(self.come_freely(b), self.begin_to_wait(b));
                (came, self.waits(b, waited?))
            }
            Pair::WaitAndApprove => {
                let Some(code) = self.boxes[b].codes.last().cloned() else { return Ok(()) };
                let yes = Act::Approve { second: false, looks_up: true };
                let (waited, approved) = tokio::join!(self.begin_to_wait(b), self.act(b, &code, yes));
                let waited = self.waits(b, waited?);
                (waited, self.count(&code, yes, approved?))
            }
        };
        TOGETHER.fetch_add(1, Ordering::Relaxed);
        outcomes.0.and(outcomes.1)
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

    async fn admit(&self, b: usize, twice: bool) -> Result<()> {
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
        // A key that is proved in place of a certificate is no claim, and may come before the claim's own is collected.
        let first_certificates = "SELECT count(*) FILTER (WHERE c.cause = 1), count(*) FILTER (WHERE c.cause = 2)
                                  FROM device d JOIN device_certificate c ON c.device_id = d.id WHERE d.key_hash = ANY($1) GROUP BY d.id";
        for row in admin.query(first_certificates, &[&keys]).await? {
            let (first, again): (i64, i64) = (row.get(0), row.get(1));
            ensure!(first <= 1 && (first == 1 || again == 0), "a device came in by {first} certificates, then {again}");
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
