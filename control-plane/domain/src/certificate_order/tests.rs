use super::*;
use crate::clone::{BootHistory, is_two};
use kaliun_types::id::BootId;
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

fn boot_id(number: usize) -> BootId {
    format!("00000000-0000-4000-8000-{number:012x}").parse().unwrap()
}

fn check(numbers: &[i64], expected: &[CertificateSight]) {
    let (first, others) = numbers.split_first().unwrap();
    let mut shown = ShownCertificates::first(*first);
    let sights: Vec<CertificateSight> = others.iter().map(|number| shown.observe(*number)).collect();
    assert_eq!(sights, expected, "{numbers:?}");
    assert_eq!(ShownCertificates::from_parts(shown.newest(), shown.last()), shown, "{numbers:?}");
}

#[test]
fn a_copy_is_told_from_a_box_that_renews() {
    use CertificateSight::{Next, Outdated, Returned, Same};
    check(&[1, 1, 2, 2, 5], &[Same, Next, Same, Next]);
    // Set back to a backup, where it stays and then gets its next one.
    check(&[1, 2, 1, 1, 3, 3], &[Next, Outdated, Same, Next, Same]);
    // Its disk is full, so each start sets it back.
    check(&[1, 2, 1, 3, 1, 4], &[Next, Outdated, Next, Outdated, Next]);
    // A copy of before the last one, and the box.
    check(&[1, 2, 1, 2], &[Next, Outdated, Returned]);
    // The copy renews first, then the box comes with what was its newest, then the copy again.
    check(&[1, 2, 1, 3, 2, 3], &[Next, Outdated, Next, Outdated, Returned]);
    // A copy of an old copy, and one of a newer one.
    check(&[1, 2, 3, 1, 2], &[Next, Next, Outdated, Returned]);
}

proptest! {
    /// One box alone, whose disk is put back from any backup as often as may be, each time with a new boot, and that comes again
    /// and again within a boot, is never taken for two.
    #[test]
    fn one_box_is_never_two(acts in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 1..60)) {
        let (mut backups, mut holds, mut newest, mut boot) = (vec![1_i64], 1, 1, 1_usize);
        let (mut shown, mut history) = (ShownCertificates::first(1), BootHistory::default());
        for (act, which) in acts {
            match act {
                0 => {
                    holds = *which.get(&backups);
                    boot += 1;
                }
                1 => {
                    newest += 1;
                    holds = newest;
                    backups.push(holds);
                }
                _ => {}
            }
            let id = boot_id(boot);
            let boot_sight = history.observe(id, "192.0.2.1", SystemTime::UNIX_EPOCH);
            prop_assert!(!is_two(boot_sight, Some(shown.observe(holds))), "{boot_sight:?}");
        }
    }

    /// Two boxes that are on and take turns are found by the third return at the latest, when their certificates differ.
    #[test]
    fn two_boxes_that_are_on_are_found(older_first in any::<bool>()) {
        let mut holds = [2_i64, 1];
        if older_first {
            holds.reverse();
        }
        let (mut shown, mut history) = (ShownCertificates::first(2), BootHistory::default());
        let found = [0, 1, 0, 1].into_iter().any(|who: usize| {
            let id = boot_id(who);
            // Far apart, so that the boots alone tell nothing.
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(3_600 * u64::try_from(history.boots().len()).unwrap());
            let boot_sight = history.observe(id, "192.0.2.1", at);
            is_two(boot_sight, Some(shown.observe(holds[who])))
        });
        prop_assert!(found);
    }

    /// Of two certificates that take turns one returns once each has come twice without a renewal in between, whatever was before.
    #[test]
    fn one_of_two_that_take_turns_returns(renews in prop::collection::vec((0..2_usize, any::<bool>()), 0..20)) {
        let (mut newest, mut holds) = (2, [2_i64, 1]);
        let mut shown = ShownCertificates::first(2);
        for (who, renews) in renews {
            shown.observe(holds[who]);
            if renews {
                newest += 1;
                holds[who] = newest;
            }
        }
        let sights: Vec<_> = [0, 1, 0, 1].into_iter().map(|who| shown.observe(holds[who])).collect();
        prop_assert!(sights.contains(&CertificateSight::Returned), "{holds:?}: {sights:?}");
    }
}
