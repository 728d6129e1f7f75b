//! Chains that hold, and every way in which one does not.

use super::*;
use crate::audit::testing::{Chain, TOOLS, TestKey};
use crate::audit::{Entry, Hash, PersonalField};
use proptest::prelude::*;
use uuid::Uuid;

fn faults(report: &Report) -> Vec<String> {
    report.faults.iter().map(Fault::to_string).collect()
}

fn check(chain: &Chain, expected: &[&str]) {
    assert_eq!(faults(&chain.verify(&[], None)), expected);
}

#[test]
fn a_whole_chain_is_good_and_says_where_it_ends() {
    let chain = Chain::of(40);
    let report = chain.verify(&[], None);
    assert!(report.is_good(), "{:?}", faults(&report));
    assert_eq!((report.entries, report.first, report.last, report.checkpoints), (40, 1, 40, 4));
    assert_eq!(report.head, Some(chain.entries[39].hash));
}

#[test]
fn an_empty_chain_is_good() {
    assert!(Chain::of(0).verify(&[], None).is_good());
}

#[test]
fn a_changed_entry_is_named() {
    let mut chain = Chain::of(40);
    chain.entries[16].action = "device.delete".to_owned();
    check(&chain, &["entry 17 was changed, or entry 16 was, and its hash made anew"]);
    let mut chain = Chain::of(40);
    chain.entries[0].target = "device/2".to_owned();
    check(&chain, &["entry 1 was changed"]);
    let mut chain = Chain::of(40);
    chain.entries[16].personal[3].text = Some("{}".to_owned());
    check(&chain, &["entry 17: its field after was changed"]);
}

#[test]
fn a_changed_entry_whose_digests_and_hash_were_made_anew_is_found_at_the_next() {
    let mut chain = Chain::of(40);
    let entry = &mut chain.entries[16];
    entry.personal[3].text = Some("{}".to_owned());
    entry.personal[3].digest = entry.personal[3].digest_of_text(TOOLS, Personal::After);
    check(&chain, &["entry 17 was changed, or entry 16 was, and its hash made anew"]);
    let previous = chain.entries[15].hash;
    chain.entries[16].hash = chain.entries[16].hash_at(TOOLS, &previous, 17);
    check(&chain, &["entry 18 was changed, or entry 17 was, and its hash made anew"]);
}

#[test]
fn missing_entries_are_named() {
    let mut chain = Chain::of(40);
    chain.entries.remove(16);
    check(&chain, &["entry 17 is missing"]);
    chain.entries.drain(16..20);
    check(&chain, &["entries 17 to 21 are missing"]);
    let mut chain = Chain::of(40);
    chain.entries.drain(..3);
    check(&chain, &["entries 1 to 3 are missing"]);
}

#[test]
fn entries_that_changed_places_are_named_and_no_others() {
    for keeps_hash in [false, true] {
        for (one, other) in [(16, 17), (16, 20), (0, 39)] {
            let mut chain = Chain::of(40);
            chain.swap(one, other, keeps_hash);
            let (one, other) = (one + 1, other + 1);
            let expected = [
                format!("entry {one} is out of order: it stands as entry {other}"),
                format!("entry {other} is out of order: it stands as entry {one}"),
            ];
            let found = faults(&chain.verify(&[], None));
            let found: Vec<&String> = found.iter().filter(|fault| fault.contains("out of order")).collect();
            assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{one} {other} {keeps_hash}");
        }
    }
}

#[test]
fn a_chain_that_was_cut_off_is_named_by_whoever_knows_more() {
    let mut chain = Chain::of(40);
    chain.entries.truncate(25);
    check(
        &chain,
        &[
            "the chain is cut off after entry 25: the record of the chain's newest entry knows entry 40",
            "the chain is cut off after entry 25: a signed checkpoint knows entry 40",
        ],
    );
    // Cut off with all that says so in the database.
    let whole = Chain::of(40);
    chain.checkpoints.retain(|checkpoint| checkpoint.sequence <= 25);
    chain.head = chain.entries.last().map(|entry| (entry.sequence, entry.hash));
    check(&chain, &[]);
    let remembered = Known { origin: Origin::Remembered, incarnation: 1, sequence: 33, hash: whole.entries[32].hash };
    let found = faults(&chain.verify(&[remembered], None));
    assert_eq!(found, ["the chain is cut off after entry 25: the last verification knows entry 33"]);
}

#[test]
fn a_chain_that_was_made_anew_is_named() {
    let whole = Chain::of(40);
    let mut chain = Chain::of(40);
    chain.entries[16].action = "device.delete".to_owned();
    chain.recompute();
    check(
        &chain,
        &[
            "the chain was made anew somewhere in entries 11 to 20: a signed checkpoint has another hash for entry 20",
            "the chain was made anew somewhere in entries 11 to 30: a signed checkpoint has another hash for entry 30",
            "the chain was made anew somewhere in entries 11 to 40: a signed checkpoint has another hash for entry 40",
        ],
    );
    // Signed anew with a key that somebody put beside the true one, or in its place.
    let forger = TestKey::generate();
    for keeps_key in [true, false] {
        let mut forged = chain.clone();
        forged.sign(&forger, keeps_key);
        let ids = whole.key_ids();
        let first_time = faults(&forged.verify(&[], None));
        assert_eq!(first_time, [""; 0], "whoever sees it for the first time cannot know");
        let found = faults(&forged.verify(&[], Some(ids)));
        assert_eq!(found, ["the control plane signs with a key that it did not have at the last verification"]);
        let remembered =
            Known { origin: Origin::Remembered, incarnation: 1, sequence: 36, hash: whole.entries[35].hash };
        let found = faults(&forged.verify(&[remembered], None));
        assert_eq!(
            found,
            [
                "the chain was made anew somewhere in entries 31 to 36: the last verification has another hash for entry 36"
            ]
        );
    }
    // Signed anew without the key.
    let mut forged = chain.clone();
    forged.sign(&forger, true);
    forged.keys = whole.keys.clone();
    let found = faults(&forged.verify(&[], None));
    assert!(
        found.iter().any(|fault| fault.starts_with("the signature of the checkpoint at entry 20 is wrong")),
        "{found:?}"
    );
}

#[test]
fn erased_fields_are_good_where_an_erasure_is_on_record() {
    let account = Uuid::from_u128(7);
    let mut chain = Chain::of(40);
    chain.entries[16].actor_kind = 1;
    chain.entries[16].actor_id = Some(account);
    chain.entries[20].target = format!("account/{account}");
    chain.entries[30].action = ACTION_ERASE.to_owned();
    chain.entries[30].target = format!("account/{account}");
    let said = format!("{{\"entries\": 3, \"rows\": [{}]}}", chain.entries[22].id);
    chain.entries[30].personal[3].text = Some(said);
    chain.recompute();
    chain.sign(&TestKey::generate(), false);
    assert!(chain.verify(&[], None).is_good());
    for (place, field) in [(16, 0), (16, 1), (20, 2), (22, 3)] {
        chain.erase(place, field);
    }
    check(&chain, &[]);
    // The name of who did something to that account is not its own.
    let mut more = chain.clone();
    more.erase(20, 0);
    check(&more, &["entry 21: its field actor is gone, and no entry says that it was erased"]);
    let mut more = chain.clone();
    more.erase(5, 3);
    check(&more, &["entry 6: its field after is gone, and no entry says that it was erased"]);
    // A salt that stayed would let the digest be guessed.
    let mut more = chain.clone();
    more.entries[16].personal[0].salt = Some([1; 16]);
    check(&more, &["entry 17: its field actor was changed"]);
    // An erasure that is not sealed yet counts.
    chain.entries.truncate(30);
    chain.checkpoints.retain(|checkpoint| checkpoint.sequence <= 30);
    chain.head = chain.entries.last().map(|entry| (entry.sequence, entry.hash));
    assert_eq!(faults(&chain.verify(&[], None)).len(), 4);
    chain.unsealed_erasures = vec![(format!("account/{account}"), "{\"rows\": [23]}".to_owned())];
    check(&chain, &[]);
}

#[test]
fn a_chain_begins_where_its_signed_cut_says() {
    let mut chain = Chain::of(40);
    chain.cut_at(20);
    let report = chain.verify(&[], None);
    assert!(report.is_good(), "{:?}", faults(&report));
    assert_eq!((report.first, report.last), (21, 40));
    // What was remembered of entries that are gone by their age says nothing any more, but for the last of them.
    let old = |sequence, hash| Known { origin: Origin::Remembered, incarnation: 1, sequence, hash };
    assert!(chain.verify(&[old(12, [9; 32])], None).is_good());
    assert_eq!(faults(&chain.verify(&[old(20, [9; 32])], None)).len(), 1);
    let mut forged = chain.clone();
    if let Some(cut) = &mut forged.cut {
        cut.at_us += 1;
    }
    check(&forged, &["entries up to 20 are gone, and what says so was not signed by the control plane"]);
    chain.entries.remove(0);
    check(&chain, &["entry 21 is missing"]);
}

/// The chain goes on where the backup ended. Who knew more is told why, once, and everybody else sees that it was said.
#[test]
fn a_restored_database_is_told_from_a_chain_that_was_made_anew() {
    let before = Chain::of(40);
    let known = |origin, place: usize| Known {
        origin,
        incarnation: 1,
        sequence: before.entries[place].sequence,
        hash: before.entries[place].hash,
    };
    let mut chain = Chain::of(38);
    for entry in &mut chain.entries[30..] {
        entry.request_id.push_str(" after the backup");
    }
    chain.entries[31].action = ACTION_RESTORED.to_owned();
    chain.entries[31].personal[3].text = Some("{\"sequence\": 30, \"incarnation\": 2}".to_owned());
    chain.recompute();
    chain.sign(&TestKey::generate(), false);
    for (place, gone) in [(30, 31), (35, 36), (39, 40)] {
        let found = faults(&chain.verify(&[known(Origin::Remembered, place), known(Origin::File, place)], None));
        let expected = format!(
            "entries after 30 are gone, up to {gone} that the last verification knows, and others have their numbers: the database came \
             back from a backup, as entry 32 says"
        );
        assert_eq!(found, [expected]);
    }
    let report = chain.verify(&[known(Origin::File, 35), known(Origin::Remembered, 29)], None);
    assert!(report.is_good(), "{:?}", faults(&report));
    assert_eq!(report.restored, [Restored { entry: 32, incarnation: 2, last: 30 }]);
    // What the backup had is no excuse, nor is what was known since.
    let since = Known { incarnation: 2, ..known(Origin::File, 35) };
    assert_eq!(faults(&chain.verify(&[since], None)).len(), 1);
    let other = Known { hash: [9; 32], ..known(Origin::File, 25) };
    assert_eq!(faults(&chain.verify(&[other], None)).len(), 1);
}

#[test]
fn a_tail_that_nobody_seals_is_told() {
    let mut chain = Chain::of(4);
    chain.unsealed = 3;
    chain.unsealed_since_us = Some(chain.now_us - 59_000_000);
    assert!(chain.verify(&[], None).is_good());
    chain.unsealed_since_us = Some(chain.now_us - 61_000_000);
    check(&chain, &["3 entries are not sealed, the oldest for 61 s: nothing proves them yet"]);
}

#[test]
fn a_chain_that_nobody_signs_is_told() {
    let mut chain = Chain::of(40);
    chain.checkpoints.retain(|checkpoint| checkpoint.sequence <= 20);
    check(&chain, &[]);
    chain.now_us += 300_000_000;
    check(&chain, &["from entry 21 on there is no checkpoint, though it is 329 s old"]);
    chain.checkpoints.clear();
    check(&chain, &["from entry 1 on there is no checkpoint, though it is 349 s old"]);
}

#[test]
fn a_record_of_the_newest_entry_that_is_gone_or_set_back_is_told() {
    let mut chain = Chain::of(40);
    chain.head = None;
    check(&chain, &["the record of the chain's newest entry, 40, is gone or is about an older one"]);
    chain.head = Some((39, chain.entries[38].hash));
    check(&chain, &["the record of the chain's newest entry, 40, is gone or is about an older one"]);
    chain.head = Some((40, [9; 32]));
    check(&chain, &["entry 40 was made anew: the record of the chain's newest entry has another hash for it"]);
}

/// Changes one thing of an entry.
fn alter(entry: &mut Entry, what: u8, by: u8) {
    let turn = |hash: &mut Hash| hash[usize::from(by) % 32] ^= by | 1;
    let lengthen = |text: &mut String| text.push(char::from(b'a' + by % 26));
    let field = |entry: &mut Entry, place: usize| entry.personal[place].clone();
    match what {
        0 => lengthen(&mut entry.action),
        1 => lengthen(&mut entry.target),
        2 => lengthen(&mut entry.request_id),
        3 => entry.at_us ^= 1 << (by % 40),
        4 => entry.id ^= 1 << (by % 40),
        5 => entry.actor_kind ^= by | 1,
        6 => entry.actor_id = Some(Uuid::from_u128(u128::from(by) + 1)),
        7 => entry.consent_id = Some(Uuid::from_u128(u128::from(by) + 1)),
        8 => turn(&mut entry.hash),
        // A letter moves from one text to the next.
        9 => {
            if let Some(letter) = entry.action.pop() {
                entry.target.insert(0, letter);
            }
        }
        10..=13 => {
            let place = usize::from(what - 10);
            let mut changed = field(entry, place);
            match by % 5 {
                0 => changed.text = changed.text.map(|text| text + " "),
                1 => changed.salt = Some([by; 16]),
                2 => changed.digest = Some([by; 32]),
                3 => changed.text = None,
                _ => changed = PersonalField::default(),
            }
            if changed == entry.personal[place] {
                changed.text = Some("x".to_owned());
            }
            entry.personal[place] = changed;
        }
        _ => unreachable!("{what}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_any_field_is_found(length in 1_usize..30, place in 0_usize..30, what in 0_u8..14, by: u8) {
        let mut chain = Chain::of(length);
        let place = place % length;
        let before = chain.entries[place].clone();
        alter(&mut chain.entries[place], what, by);
        prop_assume!(before != chain.entries[place]);
        let report = chain.verify(&[], None);
        prop_assert!(!report.is_good(), "{:?}", chain.entries[place]);
        // The entry or the one after it is named.
        let near = report.faults.iter().any(|fault| fault.sequence.abs_diff(before.sequence) <= 1);
        prop_assert!(near, "{:?}", faults(&report));
    }

    #[test]
    fn any_loss_and_any_exchange_is_found(length in 2_usize..30, one in 0_usize..30, other in 0_usize..30, how in 0_u8..4) {
        let mut chain = Chain::of(length);
        let (one, other) = (one % length, other % length);
        match how {
            0 => drop(chain.entries.remove(one)),
            1 => chain.entries.truncate(one),
            2 => {
                prop_assume!(one != other);
                chain.swap(one, other, true);
            }
            _ => {
                prop_assume!(one != other);
                chain.entries.swap(one, other);
            }
        }
        prop_assert!(!chain.verify(&[], None).is_good());
    }
}
