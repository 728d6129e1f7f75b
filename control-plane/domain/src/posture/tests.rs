use super::*;
use std::collections::BTreeSet;

const BOOT: &str = "11111111-1111-4111-8111-111111111111";
const OTHER_BOOT: &str = "22222222-2222-4222-8222-222222222222";

fn finding(matter: Matter) -> Finding {
    let device = Some((DeviceId::new(), "cellar".to_owned()));
    Finding { key: String::new(), device, since: SystemTime::UNIX_EPOCH, last_at: None, matter }
}

/// In `remedies` ID stands for the device's id.
fn check(matter: Matter, reason: &str, says: &str, remedies: &[&str]) {
    let finding = finding(matter);
    let id = finding.device.as_ref().map(|(id, _name)| id.to_string()).unwrap();
    let remedies: Vec<String> = remedies.iter().map(|remedy| remedy.replace("ID", &id)).collect();
    assert_eq!(finding.reason().code(), reason);
    assert!(finding.message().contains(says), "{}", finding.message());
    assert!(finding.message().ends_with('.') && finding.next_step().ends_with('.'), "{finding:?}");
    let typed: Vec<String> = finding
        .remedies()
        .into_iter()
        .map(|remedy| match remedy {
            Remedy::Operator(command) => command,
            Remedy::OnBox(command) => format!("on the box: {command}"),
        })
        .collect();
    assert_eq!(typed, remedies, "{finding:?}");
}

fn boots() -> Vec<(BootId, String)> {
    [(BOOT, "192.0.2.7"), (OTHER_BOOT, "192.0.2.8")]
        .map(|(boot, source)| (boot.parse().unwrap(), source.to_owned()))
        .to_vec()
}

#[test]
fn each_says_what_was_seen_and_what_mends_it() {
    check(
        Matter::KeyReused { count: 2, source: "192.0.2.7".to_owned(), last_boot: None },
        "device.key_reused",
        "2 times, last from 192.0.2.7",
        &["fleetctl device revoke device/ID"],
    );
    check(
        Matter::CertificateOutdated {
            count: 1,
            source: "192.0.2.7".to_owned(),
            last_boot: Some(BOOT.parse().unwrap()),
        },
        "device.certificate_outdated",
        "once, last from 192.0.2.7",
        &["fleetctl device revoke device/ID", &format!("fleetctl device readopt device/cellar --keep-boot {BOOT}")],
    );
    check(
        Matter::CloneSuspected(boots()),
        "device.clone_suspected",
        &format!("boot {BOOT} from 192.0.2.7 and boot {OTHER_BOOT} from 192.0.2.8"),
        &[
            &format!("fleetctl device readopt device/cellar --keep-boot {BOOT}"),
            &format!("fleetctl device readopt device/cellar --keep-boot {OTHER_BOOT}"),
        ],
    );
    let restored = "control-plane restored";
    check(Matter::DatabaseOlder { boxes: 12 }, "device.ahead_of_database", "does not: 12.", &[restored]);
    let stopped = Matter::JournalStopped { replica: "one".to_owned(), text: "line 3 of it is none".to_owned() };
    check(stopped, "journal.stopped", "replica one", &[]);
    let returned = |is_known_whose| Matter::Returned {
        source: "192.0.2.7".to_owned(),
        key_fingerprint: "a1b2".to_owned(),
        is_known_whose,
    };
    let finding_of = finding(returned(true));
    let id = finding_of.device.as_ref().map(|(id, _name)| id.to_string()).unwrap();
    assert_eq!(
        finding_of.remedies(),
        [Remedy::Operator(format!("fleetctl device readopt device/{id}"))],
        "by its id, for it has no name"
    );
    check(
        returned(false),
        "peer.unknown_after_restore",
        "key a1b2 came from 192.0.2.7",
        &["on the box: kaliun-edge enroll --new-key"],
    );
    let refused = |reason| Matter::Refused { reason, count: 1, is_deleted: false };
    let wipe = "fleetctl device decommission device/ID --wipe-identity";
    check(refused(ReasonCode::PeerDeviceRevoked), "peer.device_revoked", "refused once", &[wipe]);
    check(refused(ReasonCode::PeerDeviceDecommissioned), "peer.device_decommissioned", "refused once", &[wipe]);
    let new_key = "on the box: kaliun-edge enroll --new-key";
    check(refused(ReasonCode::PeerDeviceDeleted), "peer.device_deleted", "still comes", &[new_key]);
    check(refused(ReasonCode::PeerBootNotKept), "peer.boot_not_kept", "still comes", &[new_key]);
    // Of a tombstone nobody can end anything any more, and its name may be a healthy device's.
    for reason in [ReasonCode::PeerDeviceRevoked, ReasonCode::PeerDeviceDecommissioned, ReasonCode::PeerIdentityWipe] {
        let tombstone = Matter::Refused { reason, count: 3, is_deleted: true };
        check(tombstone, reason.code(), "deleted device still comes and was refused 3 times", &[new_key]);
    }
    let flood = |source: &str, reason| Matter::EnrollmentFlood { source: source.to_owned(), count: 900, reason };
    check(
        flood("192.0.2.7", ReasonCode::EnrollmentTokenInvalid),
        "enrollment.flood",
        "900 enrolments from 192.0.2.7 came to nothing, most of them by enrollment.token_invalid",
        &[],
    );
    check(
        flood("", ReasonCode::EnrollmentTokenExpired),
        "enrollment.flood",
        "from many places",
        &["fleetctl join-token create"],
    );
    let extend = "fleetctl device extend device/cellar --for 30d";
    check(Matter::RecoveryOver, "peer.recovery_expired", "longer than it may", &[extend]);
    check(Matter::CertificateExpired, "certificate.expired", "has run out", &[]);
    check(Matter::CertificateOverdue { online: true }, "certificate.expiring", "is online", &[]);
    check(Matter::CertificateOverdue { online: false }, "certificate.expiring", "is offline", &[]);
    let rotation = |reason| Matter::RotationWaits { behind: 3, reason, message: "3 of 200 devices.".to_owned() };
    let list = "fleetctl ca stragglers";
    check(rotation(ReasonCode::RotationWaits), "rotation.waits", "3 of 200 devices", &[list]);
    check(rotation(ReasonCode::RotationWaiting), "rotation.waiting", "3 of 200 devices", &[list]);
    check(rotation(ReasonCode::RotationWouldStrand), "rotation.would_strand", "3 of 200 devices", &[list]);
    let resume = ["fleetctl ca rotate resume", "fleetctl ca rotate rollback"];
    check(rotation(ReasonCode::RotationPaused), "rotation.paused", "3 of 200 devices", &resume);
    let sign = "fleetctl ca bundle unsigned --to FILE";
    check(rotation(ReasonCode::RotationUnsigned), "rotation.unsigned", "3 of 200 devices", &[sign]);
}

#[test]
fn kinds_have_words_of_their_own_and_stand_in_order() {
    for kinds in [FindingKind::OF_ORGANIZATION, FindingKind::OF_PLATFORM] {
        let words: BTreeSet<_> = kinds.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), kinds.len());
        assert!(kinds.is_sorted(), "{kinds:?}");
    }
}
