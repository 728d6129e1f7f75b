use super::*;
use proptest::prelude::*;

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
    /// One box alone, whose disk is set back to any state of before as often as may be, is never taken for two.
    #[test]
    fn one_box_is_never_two(backs in prop::collection::vec(prop::option::of(0..10_usize), 1..40)) {
        let mut disk = vec![1_i64];
        let (mut newest, mut shown) = (1, ShownCertificates::first(1));
        for back in backs {
            match back {
                Some(back) => disk.truncate(disk.len().saturating_sub(back).max(1)),
                None => {
                    newest += 1;
                    disk.push(newest);
                }
            }
            let sight = shown.observe(*disk.last().unwrap());
            prop_assert_ne!(sight, CertificateSight::Returned);
        }
    }

    /// Two boxes with one disk are found once each has come twice without a renewal in between, whatever was before.
    #[test]
    fn two_boxes_that_take_turns_are_found(renews in prop::collection::vec((0..2_usize, any::<bool>()), 0..20)) {
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
