//! What is wrong with what devices are known by, in words and with what mends it.

use crate::enrollment::CERTIFICATE_LIFETIME;
use kaliun_types::id::{BootId, DeviceId};
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};

/// With so little life left a certificate was to be renewed days ago: a fifth of it.
pub const CERTIFICATE_OVERDUE: Duration = Duration::from_secs(CERTIFICATE_LIFETIME.as_secs() / 5);

/// Refused enrolments from one source in one hour that are a flood: a workshop that claims by hand lets some codes run out, and a
/// dozen boxes with a wrong token ask once an hour each.
pub const FLOOD_FROM: i64 = 200;

/// Kinds of what can be wrong, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Somebody else has a device's key.
    KeyReused,
    /// Two boxes use one identity.
    CloneSuspected,
    /// A certificate came whose place another one had taken.
    CertificateOutdated,
    /// The database is older than the boxes, and nobody has said so.
    DatabaseOlder,
    /// What ends is not written down beside the database.
    JournalStopped,
    /// Devices came back that the database does not know.
    Returned,
    /// A box comes that may not.
    Refused,
    /// Many enrolments from one source come to nothing.
    EnrollmentFlood,
    /// A box was away for longer than it may be.
    RecoveryOver,
    /// A certificate has run out.
    CertificateExpired,
    /// A certificate should have been renewed.
    CertificateOverdue,
    /// Devices have not come along in a rotation.
    RotationWaits,
}

impl FindingKind {
    /// Those of an organization, in order.
    pub const OF_ORGANIZATION: &[Self] = &[
        Self::KeyReused,
        Self::CloneSuspected,
        Self::CertificateOutdated,
        Self::Returned,
        Self::Refused,
        Self::EnrollmentFlood,
        Self::RecoveryOver,
        Self::CertificateExpired,
        Self::CertificateOverdue,
    ];

    /// Those of the control plane as a whole, in order.
    pub const OF_PLATFORM: &[Self] =
        &[Self::DatabaseOlder, Self::JournalStopped, Self::Returned, Self::EnrollmentFlood, Self::RotationWaits];

    /// A word for it, which is a part of page tokens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::KeyReused => "key_reused",
            Self::CloneSuspected => "clone_suspected",
            Self::CertificateOutdated => "certificate_outdated",
            Self::DatabaseOlder => "database_older",
            Self::JournalStopped => "journal_stopped",
            Self::Returned => "returned",
            Self::Refused => "refused",
            Self::EnrollmentFlood => "enrollment_flood",
            Self::RecoveryOver => "recovery_over",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateOverdue => "certificate_overdue",
            Self::RotationWaits => "rotation_waits",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it stands among those of its kind, for the next page. Not for people.
    pub key: String,
    /// The device that it is about, with its name.
    pub device: Option<(DeviceId, String)>,
    /// Since when.
    pub since: SystemTime,
    /// When it was seen last; none for what lasts.
    pub last_at: Option<SystemTime>,
    /// What it is.
    pub matter: Matter,
}

/// What is wrong, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// A device's key came under another identity, or its name with another key.
    KeyReused {
        /// How often.
        count: u64,
        /// Where from, last.
        source: String,
        /// The boot that came last under the device's own name.
        last_boot: Option<BootId>,
    },
    /// Boxes use one identity: their boots and where they come from.
    CloneSuspected(Vec<(BootId, String)>),
    /// A certificate came whose place another one had taken.
    CertificateOutdated {
        /// How often.
        count: u64,
        /// Where from, last.
        source: String,
        /// The boot that came last.
        last_boot: Option<BootId>,
    },
    /// The database is older than what so many boxes remember.
    DatabaseOlder {
        /// How many.
        boxes: u64,
    },
    /// What ends is not written down beside the database, at one replica.
    JournalStopped {
        /// Its name.
        replica: String,
        /// What is wrong, without the end of a sentence.
        text: String,
    },
    /// A device came back that the database does not know.
    Returned {
        /// Where from, last.
        source: String,
        /// First 16 hexadecimal digits of the SHA-256 of its public key.
        key_fingerprint: String,
        /// Whether its certificate says whose it is, and that organization is here.
        is_known_whose: bool,
    },
    /// A box comes that may not.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// How often.
        count: u64,
        /// Whether the device is a tombstone. Its name may be another device's by now.
        is_deleted: bool,
    },
    /// Many enrolments from one source came to nothing.
    EnrollmentFlood {
        /// The source; empty for those that are not told apart.
        source: String,
        /// How often.
        count: u64,
        /// Why, mostly.
        reason: ReasonCode,
    },
    /// A box was away for longer than it may be.
    RecoveryOver,
    /// A certificate has run out.
    CertificateExpired,
    /// A certificate should have been renewed: whether the box is online.
    CertificateOverdue {
        /// Whether its link is up.
        online: bool,
    },
    /// A rotation does not go on.
    RotationWaits {
        /// How many devices have not come along.
        behind: u64,
        /// What holds it up.
        reason: ReasonCode,
        /// The same as one sentence.
        message: String,
    },
}

/// A command of which each mends what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// To be typed by whoever runs the fleet.
    Operator(String),
    /// To be run on the box.
    OnBox(&'static str),
}

/// Gives a box a key of its own.
const NEW_KEY: &str = "kaliun-edge enroll --new-key";

impl Finding {
    /// What it is called.
    #[must_use]
    pub fn reason(&self) -> ReasonCode {
        match &self.matter {
            Matter::KeyReused { .. } => ReasonCode::DeviceKeyReused,
            Matter::CloneSuspected(_) => ReasonCode::DeviceCloneSuspected,
            Matter::CertificateOutdated { .. } => ReasonCode::DeviceCertificateOutdated,
            Matter::DatabaseOlder { .. } => ReasonCode::DeviceAheadOfDatabase,
            Matter::JournalStopped { .. } => ReasonCode::JournalStopped,
            Matter::Returned { .. } => ReasonCode::PeerUnknownAfterRestore,
            Matter::Refused { reason, .. } => *reason,
            Matter::EnrollmentFlood { .. } => ReasonCode::EnrollmentFlood,
            Matter::RecoveryOver => ReasonCode::PeerRecoveryExpired,
            Matter::CertificateExpired => ReasonCode::CertificateExpired,
            Matter::CertificateOverdue { .. } => ReasonCode::CertificateExpiring,
            Matter::RotationWaits { reason, .. } => *reason,
        }
    }

    /// How often it was seen, or how many it is about; 0 for what is not counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.matter {
            Matter::KeyReused { count, .. }
            | Matter::CertificateOutdated { count, .. }
            | Matter::DatabaseOlder { boxes: count }
            | Matter::Refused { count, .. }
            | Matter::EnrollmentFlood { count, .. }
            | Matter::RotationWaits { behind: count, .. } => *count,
            Matter::CloneSuspected(_)
            | Matter::JournalStopped { .. }
            | Matter::Returned { .. }
            | Matter::RecoveryOver
            | Matter::CertificateExpired
            | Matter::CertificateOverdue { .. } => 0,
        }
    }

    /// Where it comes from; empty for several places or none.
    #[must_use]
    pub fn source(&self) -> &str {
        match &self.matter {
            Matter::KeyReused { source, .. }
            | Matter::CertificateOutdated { source, .. }
            | Matter::Returned { source, .. }
            | Matter::EnrollmentFlood { source, .. } => source,
            Matter::CloneSuspected(_)
            | Matter::DatabaseOlder { .. }
            | Matter::JournalStopped { .. }
            | Matter::Refused { .. }
            | Matter::RecoveryOver
            | Matter::CertificateExpired
            | Matter::CertificateOverdue { .. }
            | Matter::RotationWaits { .. } => "",
        }
    }

    /// What was seen, as one sentence.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.matter {
            Matter::KeyReused { count, source, .. } => format!(
                "Its key came under another identity, or its name with another key, {}, last from {source}.",
                times(*count)
            ),
            Matter::CloneSuspected(boots) => {
                let boots: Vec<String> = boots.iter().map(|(boot, source)| format!("{boot} from {source}")).collect();
                format!("Two boxes use its identity: boot {}.", boots.join(" and boot "))
            }
            Matter::CertificateOutdated { count, source, .. } => format!(
                "A certificate came whose place another one had taken, {}, last from {source}: from a copy of the box, or its disk was set back.",
                times(*count)
            ),
            Matter::DatabaseOlder { boxes } => {
                format!("Boxes remember what this database does not: {boxes}. It came back from a backup.")
            }
            Matter::JournalStopped { replica, text } => format!(
                "At the replica {replica} devices that end are not written down beside the database, so a restore would revive them: {text}."
            ),
            Matter::Returned { source, key_fingerprint, .. } => format!(
                "A box with the key {key_fingerprint} came from {source} with a certificate of ours, and there is no record of it."
            ),
            Matter::Refused { count, is_deleted: true, .. } => {
                format!("The box of this deleted device still comes and was refused {}.", times(*count))
            }
            Matter::Refused { count, is_deleted: false, .. } => {
                format!("Its box still comes and was refused {}.", times(*count))
            }
            Matter::EnrollmentFlood { source, count, reason } => {
                let source = if source.is_empty() { "many places or unknown ones" } else { source.as_str() };
                format!("{count} enrolments from {source} came to nothing, most of them by {reason}.")
            }
            Matter::RecoveryOver => "It was away for longer than it may be, and cannot come back by itself.".to_owned(),
            Matter::CertificateExpired => {
                "Its certificate has run out, and its box has not come for another one.".to_owned()
            }
            Matter::CertificateOverdue { online: true } => {
                "Its certificate was to be renewed days ago, though its box is online.".to_owned()
            }
            Matter::CertificateOverdue { online: false } => {
                "Its certificate was to be renewed days ago; its box is offline.".to_owned()
            }
            Matter::RotationWaits { message, .. } => message.clone(),
        }
    }

    /// What a person can do, as one sentence.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match &self.matter {
            Matter::CertificateOverdue { online: false } => ReasonCode::CertificateExpired.next_step(),
            Matter::KeyReused { .. }
            | Matter::CloneSuspected(_)
            | Matter::CertificateOutdated { .. }
            | Matter::DatabaseOlder { .. }
            | Matter::JournalStopped { .. }
            | Matter::Returned { .. }
            | Matter::Refused { .. }
            | Matter::EnrollmentFlood { .. }
            | Matter::RecoveryOver
            | Matter::CertificateExpired
            | Matter::CertificateOverdue { online: true }
            | Matter::RotationWaits { .. } => self.reason().next_step(),
        }
    }

    /// Commands of which each mends it: several where somebody has to choose, none where no command does. What cannot be taken back
    /// names its device by id: a name may be another device's by the time that somebody types it.
    #[must_use]
    pub fn remedies(&self) -> Vec<Remedy> {
        let name = self.device.as_ref().map_or("NAME", |(_id, name)| name.as_str());
        let id = self.device.as_ref().map(|(id, _name)| id.to_string()).unwrap_or_default();
        let operator = |command: &str| vec![Remedy::Operator(format!("fleetctl {command}"))];
        match &self.matter {
            Matter::CloneSuspected(boots) => boots.iter().map(|(boot, _source)| keep_boot(name, *boot)).collect(),
            // Revoked if it is somebody else, and kept if it is known who it was.
            Matter::KeyReused { last_boot, .. } | Matter::CertificateOutdated { last_boot, .. } => {
                let mut remedies = operator(&format!("device revoke device/{id}"));
                remedies.extend(last_boot.map(|boot| keep_boot(name, boot)));
                remedies
            }
            Matter::DatabaseOlder { .. } => vec![Remedy::Operator("control-plane restored".to_owned())],
            Matter::Returned { is_known_whose: true, .. } => operator(&format!("device readopt device/{id}")),
            // Nobody can say whose it is, so it comes in as a new one.
            Matter::Returned { is_known_whose: false, .. } => vec![Remedy::OnBox(NEW_KEY)],
            // There is no device any more that a command could be about.
            Matter::Refused { is_deleted: true, .. } => vec![Remedy::OnBox(NEW_KEY)],
            Matter::Refused { reason, is_deleted: false, .. } => remedies_of_refusal(*reason, &id),
            Matter::EnrollmentFlood { reason, .. } => remedies_of_flood(*reason),
            Matter::RecoveryOver => operator(&format!("device extend device/{name} --for 30d")),
            Matter::RotationWaits { reason, .. } => remedies_of_rotation(*reason),
            // Only somebody who goes to the box, or its network, mends these.
            Matter::CertificateExpired | Matter::CertificateOverdue { .. } => Vec::new(),
            // Only somebody who goes to the replica's disk.
            Matter::JournalStopped { .. } => Vec::new(),
        }
    }
}

/// Lets one boot go on under a device's identity.
fn keep_boot(name: &str, boot: BootId) -> Remedy {
    Remedy::Operator(format!("fleetctl device readopt device/{name} --keep-boot {boot}"))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other refusals are not noted on devices")]
fn remedies_of_refusal(reason: ReasonCode, id: &str) -> Vec<Remedy> {
    match reason {
        // Told to forget who it is, it does not come again.
        ReasonCode::PeerDeviceRevoked | ReasonCode::PeerDeviceDecommissioned => {
            vec![Remedy::Operator(format!("fleetctl device decommission device/{id} --wipe-identity"))]
        }
        _ => vec![Remedy::OnBox(NEW_KEY)],
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "in all other cases it waits for devices")]
fn remedies_of_rotation(reason: ReasonCode) -> Vec<Remedy> {
    let commands: &[&str] = match reason {
        ReasonCode::RotationPaused => &["fleetctl ca rotate resume", "fleetctl ca rotate rollback"],
        ReasonCode::RotationUnsigned => &["fleetctl ca bundle unsigned --to FILE"],
        _ => &["fleetctl ca stragglers"],
    };
    commands.iter().map(|command| Remedy::Operator((*command).to_owned())).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not about a token is for nobody to mend by a command")]
fn remedies_of_flood(reason: ReasonCode) -> Vec<Remedy> {
    match reason {
        ReasonCode::EnrollmentTokenExpired | ReasonCode::EnrollmentTokenUsedUp | ReasonCode::EnrollmentTokenRevoked => {
            vec![Remedy::Operator("fleetctl join-token create".to_owned())]
        }
        _ => Vec::new(),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests;
