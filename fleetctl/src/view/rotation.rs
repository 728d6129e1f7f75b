//! The certificate authorities and the change from one to the next.

use crate::output::listed::{Listed, Moment};
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::{Time, duration};
use crate::view::sample::Reason;
use kaliun_proto::fleet::v1 as proto;
use kaliun_types::reason::ReasonCode;
use serde::Serialize;

/// A rotation as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Rotation {
    pub(crate) phase: &'static str,
    pub(crate) phase_since: Option<Time>,
    pub(crate) current_authority: u32,
    /// Null when no rotation is under way.
    pub(crate) next_authority: Option<u32>,
    pub(crate) trust_bundle_version: u64,
    pub(crate) device_count: u64,
    pub(crate) ready_count: u64,
    pub(crate) automatic: bool,
    /// Null when it does not go by itself.
    pub(crate) grace_seconds: Option<u64>,
    /// Null when it does not wait.
    pub(crate) waits_until: Option<Time>,
    /// What holds it up; null when nothing does.
    pub(crate) reason: Option<Reason>,
    /// Null when it is not paused.
    pub(crate) paused_by: Option<String>,
    pub(crate) rotations_left: u32,
}

/// A device that has not come along, as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Straggler {
    /// Null for one of another organization: which it is, is theirs to know.
    pub(crate) device_id: Option<String>,
    /// Null where the id is.
    pub(crate) device_name: Option<String>,
    pub(crate) online: bool,
    pub(crate) link_since: Option<Time>,
    pub(crate) trust_bundle_version: u64,
    pub(crate) certificate_authority: u32,
}

/// A trust bundle that was fetched to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UnsignedBundle {
    /// Where it was written.
    pub(crate) file: String,
    /// Null when this fleetctl cannot read it.
    pub(crate) trust_bundle_version: Option<u64>,
}

/// A phase as a word.
pub(crate) fn phase(phase: proto::RotationPhase) -> &'static str {
    match phase {
        proto::RotationPhase::Steady => "steady",
        proto::RotationPhase::Trust => "trust",
        proto::RotationPhase::Issue => "issue",
        proto::RotationPhase::Drain => "drain",
        proto::RotationPhase::Unspecified => "unknown",
    }
}

impl From<proto::Rotation> for Rotation {
    fn from(rotation: proto::Rotation) -> Self {
        Self {
            phase: phase(rotation.phase()),
            phase_since: Time::from_ms(rotation.phase_since_ms),
            current_authority: rotation.current_authority,
            next_authority: Some(rotation.next_authority).filter(|number| *number > 0),
            trust_bundle_version: rotation.trust_bundle_version,
            device_count: rotation.device_count,
            ready_count: rotation.ready_count,
            automatic: rotation.is_automatic,
            grace_seconds: Some(rotation.grace_ms / 1_000).filter(|_| rotation.is_automatic),
            waits_until: Time::from_ms(rotation.waits_until_ms),
            reason: rotation.reason.map(Reason::from),
            paused_by: Some(rotation.paused_by).filter(|by| !by.is_empty()),
            rotations_left: rotation.rotations_left,
        }
    }
}

impl Rotation {
    /// What the phase is about, and what comes next: lines for a person.
    pub(crate) fn lines(&self, now_ms: i64) -> Vec<String> {
        let since = self.phase_since.map(|since| since.relative(now_ms)).unwrap_or_default();
        let mut lines = vec![format!("Phase:        {} for {since}", self.phase)];
        lines.push(format!("Authority:    {}", self.current_authority));
        if let Some(next) = self.next_authority {
            lines.push(format!("Next:         {next}"));
        }
        let left = self.rotations_left;
        lines.push(format!("Trust bundle: version {}, room for {left} more rotations", self.trust_bundle_version));
        let what = match self.phase {
            "trust" => "believe the next authority",
            "issue" => "have a certificate of the next authority",
            "drain" => "believe the next authority and have its certificate",
            _ => "hold the newest trust bundle",
        };
        lines.push(format!("Devices:      {} of {} {what}", self.ready_count, self.device_count));
        if let Some(grace) = self.grace_seconds {
            let grace = duration(i64::try_from(grace.saturating_mul(1_000)).unwrap_or(i64::MAX));
            lines.push(format!("Goes on:      by itself, and waits up to {grace} in each phase"));
        }
        if let Some(reason) = &self.reason {
            let since = reason.since.map(|since| format!(" for {}", since.relative(now_ms))).unwrap_or_default();
            let message = reason.message.as_deref().unwrap_or_default();
            let by = self.paused_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            lines.push(format!("Held up:      {}{by}{since}: {message}", reason.code));
        }
        if let Some(until) = self.waits_until {
            lines.push(format!("Waits until:  {until}, {}", until.relative(now_ms)));
        }
        if let Some(reason) = self.reason.as_ref().and_then(|reason| ReasonCode::from_code(&reason.code)) {
            lines.push(format!("Then:         {}", reason.next_step()));
            return lines;
        }
        let next = match (self.phase, self.ready_count >= self.device_count) {
            ("steady", _) => "fleetctl ca rotate start",
            (_, true) => "fleetctl ca rotate advance",
            (_, false) => "fleetctl ca stragglers",
        };
        lines.push(format!("Then:         {next}"));
        lines
    }
}

impl From<proto::Straggler> for Straggler {
    fn from(straggler: proto::Straggler) -> Self {
        Self {
            device_id: Some(straggler.device_id).filter(|id| !id.is_empty()),
            device_name: Some(straggler.device_name).filter(|name| !name.is_empty()),
            online: straggler.is_online,
            link_since: Time::from_ms(straggler.link_since_ms),
            trust_bundle_version: straggler.trust_bundle_version,
            certificate_authority: straggler.certificate_authority,
        }
    }
}

/// What stands in place of the name of another organization's box.
const OF_OTHERS: &str = "(of another organization)";

impl Listed for Straggler {
    const NOUN: &'static str = "device";
    const PLURAL: &'static str = "stragglers";
    const COLUMNS: &'static [Column] = &[
        Column::new("NAME").elastic(),
        Column::new("LINK"),
        Column::new("SINCE"),
        Column::new("BUNDLE").right(),
        Column::new("AUTHORITY").right(),
        Column::new("ID").wide(),
    ];

    fn reference(&self) -> &str {
        self.device_name.as_deref().unwrap_or(OF_OTHERS)
    }

    fn is_named(&self) -> bool {
        self.device_name.is_some()
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        let link = if self.online { Cell::toned("online", Tone::Good) } else { Cell::toned("offline", Tone::Bad) };
        vec![
            Cell::new(self.reference()),
            link,
            moment.cell(self.link_since),
            Cell::new(self.trust_bundle_version.to_string()),
            Cell::new(self.certificate_authority.to_string()),
            Cell::new(self.device_id.as_deref().unwrap_or_default()),
        ]
    }
}
