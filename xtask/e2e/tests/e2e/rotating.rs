//! From one authority to the next with 200 boxes, of which some sleep through it and some come and go.

use crate::inside::{Inside, online, with_token};
use anyhow::{Context as _, ensure};
use kaliun_e2e::wait::{PATIENCE, until};
use kaliun_edge::agent_state::EnrollmentState;
use kaliun_edge_sim::fleet::SimulatedBox;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;
use tonic::Code;
use tonic::transport::Channel;

const BOXES: usize = 200;
/// 5 % are offline from before the beginning to after the end.
const ASLEEP: std::ops::RangeInclusive<usize> = 1..=10;
/// 5 % are cut off and come back in every phase.
const FLAPPING: std::ops::RangeInclusive<usize> = 11..=20;
/// How long each phase lasts. Three of them outlast the certificates with which it began.
const PHASE_DAYS: u64 = 12;

/// How long a rotation that goes by itself waits for those that sleep, and how many days more a phase lasts then. Less than three fifths of
/// a certificate's life together: none is renewed because of its age at the moment at which the phase ends.
const GRACE_DAYS: u64 = 15;
const MORE_DAYS: u64 = 5;

/// A fleet in the middle of a rotation.
struct Rotating {
    inside: Inside,
    operator: AuthorityServiceClient<Channel>,
    awake: BTreeMap<usize, SimulatedBox>,
    asleep: BTreeSet<String>,
    /// The device id of each name, as it was enrolled.
    enrolled: BTreeMap<String, String>,
}

fn device_id(state: &EnrollmentState) -> anyhow::Result<String> {
    match state {
        EnrollmentState::Enrolled { device_id, .. } => Ok(device_id.clone()),
        other @ (EnrollmentState::Asking
        | EnrollmentState::Pending { .. }
        | EnrollmentState::Failed { .. }
        | EnrollmentState::Decommissioned { .. }) => anyhow::bail!("not enrolled: {other:?}"),
    }
}

impl Rotating {
    /// Enrols all boxes; then some are switched off.
    async fn begin() -> anyhow::Result<Self> {
        let inside = Inside::start().await?;
        let operator = AuthorityServiceClient::new(inside.public().await?);
        let mut awake = BTreeMap::new();
        for number in 1..=BOXES {
            awake.insert(number, inside.start_box(number)?);
        }
        let (mut enrolled, mut asleep) = (BTreeMap::new(), BTreeSet::new());
        for simulated in awake.values() {
            let state = online(simulated).await?;
            enrolled.insert(simulated.name().to_owned(), device_id(&state.enrollment)?);
        }
        for number in ASLEEP {
            let simulated = awake.remove(&number).context("it was started")?;
            asleep.insert(simulated.name().to_owned());
            simulated.stop().await?;
        }
        Ok(Self { inside, operator, awake, asleep, enrolled })
    }

    async fn rotation(&mut self) -> anyhow::Result<fleet::Rotation> {
        let answer = self.operator.get_rotation(with_token(fleet::GetRotationRequest {})).await?;
        answer.into_inner().rotation.context("a rotation")
    }

    /// Cuts some boxes off in the middle of whatever they do, and starts them again.
    async fn flap(&mut self) -> anyhow::Result<()> {
        for number in FLAPPING {
            let simulated = self.awake.remove(&number).context("it was started")?;
            simulated.kill().await;
            self.awake.insert(number, self.inside.start_box(number)?);
        }
        Ok(())
    }

    /// Lives through a phase: until all that are awake have come along, and those alone that are not are listed.
    async fn live_through(&mut self, phase: RotationPhase) -> anyhow::Result<()> {
        self.flap().await?;
        self.inside.advance_days(PHASE_DAYS);
        self.until_renewed().await?;
        let ready = u64::try_from(self.awake.len())?;
        let operator = self.operator.clone();
        let reached = until("all that are awake have come along", PATIENCE, || {
            let mut operator = operator.clone();
            async move {
                let answer = operator.get_rotation(with_token(fleet::GetRotationRequest {})).await?;
                let rotation = answer.into_inner().rotation.context("a rotation")?;
                ensure!(rotation.ready_count == ready, "{rotation:?}");
                Ok(Some(rotation))
            }
        })
        .await?;
        ensure!(reached.phase() == phase && reached.device_count == BOXES as u64, "{reached:?}");
        let list = fleet::ListStragglersRequest { page_size: 500, ..fleet::ListStragglersRequest::default() };
        let list = self.operator.list_stragglers(with_token(list)).await?.into_inner();
        let listed: BTreeSet<String> = list.stragglers.iter().map(|one| one.device_name.clone()).collect();
        ensure!(listed == self.asleep, "listed: {listed:?}");
        ensure!(list.stragglers.iter().all(|one| !one.is_online), "{:?}", list.stragglers);
        Ok(())
    }

    /// Waits until all that are online have the certificates that they ask for at two thirds of a life of 30 days: to the clocks the
    /// days of a phase pass in one moment, and the next phase must not come before that was done.
    async fn until_renewed(&self) -> anyhow::Result<()> {
        let now = self.inside.now().duration_since(UNIX_EPOCH)?.as_secs();
        let due = format!(
            "SELECT count(*) FROM device d JOIN device_status s ON s.device_id = d.id
             WHERE s.online AND d.certificate_expires_at < to_timestamp({now}) + interval '9 days'"
        );
        until("certificates are renewed", PATIENCE, || async {
            let left = self.inside.count(&due).await?;
            ensure!(left == 0, "{left} are due");
            Ok(Some(()))
        })
        .await
    }

    /// Goes on though some sleep, which has to be forced.
    async fn advance(&mut self, from: RotationPhase) -> anyhow::Result<()> {
        self.live_through(from).await?;
        let request = |force| with_token(fleet::AdvanceRotationRequest { from: from.into(), force });
        let refused = self.operator.advance_rotation(request(false)).await.err().context("it went on")?;
        ensure!(refused.code() == Code::FailedPrecondition, "{refused:?}");
        ensure!(refused.message().starts_with("10 of 200 devices"), "{refused:?}");
        self.operator.advance_rotation(request(true)).await?;
        Ok(())
    }

    /// Lives through a phase of a rotation that goes by itself: it waits for those that sleep, and then goes on without them.
    async fn goes_on(&mut self, from: RotationPhase, to: RotationPhase) -> anyhow::Result<()> {
        self.live_through(from).await?;
        let waiting = self.rotation().await?;
        ensure!(waiting.phase() == from, "{waiting:?}");
        ensure!(waiting.reason.as_ref().is_some_and(|reason| reason.code == "rotation.waiting"), "{waiting:?}");
        self.inside.advance_days(MORE_DAYS);
        let operator = self.operator.clone();
        until("it goes on", PATIENCE, || {
            let mut operator = operator.clone();
            async move {
                let answer = operator.get_rotation(with_token(fleet::GetRotationRequest {})).await?;
                let rotation = answer.into_inner().rotation.context("a rotation")?;
                ensure!(rotation.phase() == to, "{rotation:?}");
                Ok(Some(()))
            }
        })
        .await
    }

    async fn roll_back(&mut self, from: RotationPhase) -> anyhow::Result<()> {
        let request = fleet::RollBackRotationRequest { from: from.into(), force: false };
        self.operator.roll_back_rotation(with_token(request)).await?;
        Ok(())
    }

    /// Waits until so many boxes are online with a certificate of an authority.
    async fn until_shown(&self, authority: i32, boxes: usize) -> anyhow::Result<()> {
        let query = format!("SELECT count(*) FROM device_status WHERE online AND shown_authority = {authority}");
        until("the certificates are shown", PATIENCE, || async {
            let shown = self.inside.count(&query).await?;
            ensure!(usize::try_from(shown)? == boxes, "{shown} of {boxes} show one of authority {authority}");
            Ok(Some(()))
        })
        .await
    }

    /// Switches on what slept, and looks at everything once more.
    async fn end(mut self) -> anyhow::Result<()> {
        let rotation = self.rotation().await?;
        ensure!((rotation.phase(), rotation.current_authority) == (RotationPhase::Steady, 2), "{rotation:?}");
        for number in ASLEEP {
            self.awake.insert(number, self.inside.start_box(number)?);
        }
        for simulated in self.awake.values() {
            let state = online(simulated).await?;
            let known = self.enrolled.get(simulated.name()).context("it was enrolled")?;
            ensure!(device_id(&state.enrollment)? == *known, "{} is another device now", simulated.name());
        }
        self.until_shown(2, BOXES).await?;
        let boxes = i64::try_from(BOXES)?;
        let count = async |query: &str| self.inside.count(query).await;
        assert_eq!(count("SELECT count(*) FROM device").await?, boxes);
        assert_eq!(count("SELECT count(*) FROM device_certificate WHERE cause = 1").await?, boxes, "enrolled once");
        assert_eq!(count("SELECT count(*) FROM device_certificate WHERE cause = 2").await?, 0, "none enrolled again");
        let recovered =
            "SELECT count(DISTINCT c.device_id) FROM device_certificate c JOIN device d ON d.id = c.device_id
                         WHERE c.cause = 4 AND d.name";
        let asleep = i64::try_from(self.asleep.len())?;
        assert_eq!(count(&format!("{recovered} <= 'box-0010'")).await?, asleep, "those that slept proved their keys");
        assert_eq!(
            count(&format!("{recovered} > 'box-0020'")).await?,
            0,
            "those that were always there had no need to"
        );
        for simulated in self.awake.into_values() {
            simulated.stop().await?;
        }
        self.inside.stop().await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_boxes_go_through_a_rotation_and_none_is_left_behind() -> anyhow::Result<()> {
    let mut rotating = Rotating::begin().await?;
    rotating.operator.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
    for phase in [RotationPhase::Trust, RotationPhase::Issue, RotationPhase::Drain] {
        rotating.advance(phase).await?;
    }
    rotating.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_taken_back_in_the_middle_leaves_none_behind() -> anyhow::Result<()> {
    let mut rotating = Rotating::begin().await?;
    rotating.operator.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
    rotating.advance(RotationPhase::Trust).await?;
    let awake = rotating.awake.len();

    // Boxes have the next authority's certificates, and get the current one's again.
    rotating.live_through(RotationPhase::Issue).await?;
    rotating.until_shown(2, awake).await?;
    rotating.roll_back(RotationPhase::Issue).await?;
    rotating.flap().await?;
    rotating.until_shown(1, awake).await?;
    rotating.advance(RotationPhase::Trust).await?;

    // The server has shown the next authority's certificate, and shows the current one's again.
    rotating.advance(RotationPhase::Issue).await?;
    rotating.live_through(RotationPhase::Drain).await?;
    rotating.roll_back(RotationPhase::Drain).await?;
    for phase in [RotationPhase::Issue, RotationPhase::Drain] {
        rotating.advance(phase).await?;
    }
    rotating.end().await
}

/// Nobody does anything after its start.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_by_itself_leaves_none_behind() -> anyhow::Result<()> {
    let mut rotating = Rotating::begin().await?;
    let request =
        fleet::StartRotationRequest { is_automatic: true, grace_ms: GRACE_DAYS * 24 * 3_600_000, force: false };
    rotating.operator.start_rotation(with_token(request)).await?;
    rotating.goes_on(RotationPhase::Trust, RotationPhase::Issue).await?;
    rotating.goes_on(RotationPhase::Issue, RotationPhase::Drain).await?;
    rotating.goes_on(RotationPhase::Drain, RotationPhase::Steady).await?;
    rotating.end().await
}
