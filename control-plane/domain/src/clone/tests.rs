use super::*;
use proptest::prelude::*;

fn boot(number: u8) -> BootId {
    format!("00000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// What each hello of a boot at a second tells.
fn sights(hellos: &[(u8, u64)]) -> Vec<Sight> {
    let mut history = BootHistory::default();
    hellos.iter().map(|(number, seconds)| history.observe(boot(*number), "192.0.2.1", at(*seconds))).collect()
}

fn check(hellos: &[(u8, u64)], last: Sight) {
    let sights = sights(hellos);
    assert_eq!(sights.last(), Some(&last), "{hellos:?}: {sights:?}");
    if last != Sight::Clone {
        assert!(!sights.contains(&Sight::Clone), "{hellos:?}: {sights:?}");
    }
}

#[test]
fn a_box_that_starts_again_is_no_clone() {
    check(&[(1, 0)], Sight::New);
    check(&[(1, 0), (1, 5), (1, 6)], Sight::Same);
    check(&[(1, 0), (2, 5)], Sight::New);
    check(&[(1, 0), (2, 5), (3, 10), (4, 15), (4, 16)], Sight::Same);
    // Behind a half-open connection: the old session is still there when the box comes with its next boot, and that is all.
    check(&[(1, 0), (2, 1), (2, 2), (2, 3)], Sight::Same);
    // A hello of before the boot that was late on its way, after which the box comes again.
    check(&[(1, 0), (2, 1), (1, 2), (2, 3)], Sight::Returned);
}

#[test]
fn two_boxes_that_take_turns_are_found() {
    check(&[(1, 0), (2, 30), (1, 60), (2, 90), (1, 120)], Sight::Clone);
    check(&[(1, 0), (2, 600), (1, 1200), (2, 1500), (1, 1800)], Sight::Clone);
    // Three copies.
    check(&[(1, 0), (2, 30), (3, 60), (1, 90), (2, 120), (3, 150), (1, 180)], Sight::Clone);
    // Starting again in between does not hide the one that stays.
    check(&[(1, 0), (2, 30), (1, 60), (3, 90), (1, 120)], Sight::Clone);
    // So far apart that it tells nothing.
    check(&[(1, 0), (2, 300), (1, 600), (2, 901), (1, 1201)], Sight::Returned);
}

#[test]
fn whoever_is_not_chosen_stays_out_and_a_new_boot_begins_anew() {
    let mut history = BootHistory::default();
    for (number, seconds) in [(1, 0), (2, 30), (1, 60), (2, 90), (1, 120)] {
        history.observe(boot(number), if number == 1 { "192.0.2.1" } else { "198.51.100.7" }, at(seconds));
    }
    let rivals: Vec<_> = history.rivals().iter().map(|boot| (boot.id, boot.source.as_str())).collect();
    assert_eq!(rivals, [(boot(2), "198.51.100.7"), (boot(1), "192.0.2.1")]);
    assert!(!history.keep(boot(9)), "a boot that nobody knows");
    assert!(history.keep(boot(2)));
    let kept = history.clone();
    assert_eq!(history.observe(boot(1), "192.0.2.1", at(150)), Sight::Refused);
    assert_eq!(history, kept, "who is refused changes nothing");
    assert_eq!(history.observe(boot(2), "198.51.100.7", at(160)), Sight::Same);
    // The copy starts again and is not known any more. It is found again as it was the first time.
    let after = [(3, 170), (2, 180), (3, 190), (2, 200)];
    let sights: Vec<_> = after.iter().map(|(n, s)| history.observe(boot(*n), "192.0.2.1", at(*s))).collect();
    assert_eq!(sights, [Sight::New, Sight::Returned, Sight::Returned, Sight::Clone]);
    assert_eq!(history.observe(boot(1), "192.0.2.1", at(210)), Sight::Refused, "as long as it is remembered");
}

proptest! {
    /// A machine whose boots never return is never suspected, however often it starts and reconnects.
    #[test]
    fn one_machine_is_never_a_clone(reconnections in prop::collection::vec((0_u64..100, 0_u8..5), 0..60)) {
        let mut history = BootHistory::default();
        let (mut now, mut number) = (0, 0);
        for (wait, reconnects) in reconnections {
            number += 1;
            for _ in 0..=reconnects {
                now += wait;
                let sight = history.observe(boot(number), "192.0.2.1", at(now));
                prop_assert!(matches!(sight, Sight::New | Sight::Same), "{sight:?}");
            }
        }
    }

    /// Up to sixteen copies that take turns within ten minutes are found by the second time that one of them returns.
    #[test]
    fn copies_are_found(copies in 2_u8..=16, pause in 1_u64..=37) {
        let mut history = BootHistory::default();
        let turns = (0..3).flat_map(|_| 0..copies).zip(0..);
        let sights: Vec<_> = turns.map(|(n, turn)| history.observe(boot(n), "192.0.2.1", at(turn * pause))).collect();
        let first = sights.iter().position(|sight| *sight == Sight::Clone);
        prop_assert_eq!(first, Some(2 * usize::from(copies)));
    }

    /// Whatever comes, there is a bound to what is kept, the last one is at the end, and reading back changes nothing.
    #[test]
    fn what_is_kept_is_bounded(hellos in prop::collection::vec((0_u8..40, 0_u64..400), 0..200), kept in 0_u8..40) {
        let mut history = BootHistory::default();
        let mut now = 0;
        for (number, wait) in hellos {
            now += wait;
            if number == kept {
                history.keep(boot(kept));
            }
            let sight = history.observe(boot(number), "192.0.2.1", at(now));
            prop_assert!(history.boots().len() <= BOOTS_MAX);
            prop_assert!(history.boots().iter().all(|boot| boot.returned_at.len() <= RETURNS_OF_A_CLONE));
            let is_last = history.boots().last().map(|boot| boot.id) == Some(boot(number));
            prop_assert_eq!(sight != Sight::Refused, is_last);
            prop_assert_eq!(&BootHistory::from_boots(history.boots().to_vec()), &history);
        }
    }
}
