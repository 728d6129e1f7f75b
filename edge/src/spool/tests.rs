use super::*;
use crate::state_dir::Durability;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const LIMITS: SpoolLimits = SpoolLimits { records_max: 1000, bytes_max: 1 << 20, segment_bytes: 200 };

fn open(folder: &Path, limits: SpoolLimits, boot: &str) -> Spool {
    Spool::open(StateDir::open(folder, Durability::PageCache).unwrap(), limits, boot).unwrap()
}

fn all(spool: &mut Spool) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut after = 0;
    while let Some(batch) = spool.read_after(after, 7, 1000, 4).unwrap() {
        after = batch.last_sequence();
        for (sequence, payload) in (batch.first_sequence..).zip(batch.payloads) {
            found.push((sequence, payload));
        }
    }
    found
}

fn newest_segment(folder: &Path) -> std::path::PathBuf {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    paths.sort();
    paths.pop().unwrap()
}

#[test]
fn records_come_back_in_order_until_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert_eq!(spool.position().kept, None);
    for number in 1..=50_u8 {
        assert_eq!(spool.append(&[number; 20]).unwrap(), u64::from(number));
    }
    let batch = spool.read_after(0, 3, 1000, 0).unwrap().unwrap();
    assert_eq!((batch.first_sequence, batch.last_sequence()), (1, 3));
    let batch = spool.read_after(3, 128, 45, 0).unwrap().unwrap();
    assert_eq!((batch.first_sequence, batch.last_sequence()), (4, 5));
    assert_eq!(spool.read_after(5, 128, 19, 0).unwrap(), None);
    assert_eq!(all(&mut spool).len(), 50);
    spool.acknowledge(30).unwrap();
    assert_eq!(spool.position().kept, Some((31, 50)));
    assert_eq!(all(&mut spool).len(), 20);
    assert_eq!(spool.position().pending(), 20);
}

/// A file that is there and cannot be read, whoever runs the test.
fn make_unreadable(path: &Path) {
    std::fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink(path, path).unwrap();
}

#[test]
fn a_description_that_cannot_be_read_is_followed_by_another_spool() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for number in 1..=9_u8 {
        spool.append(&[number]).unwrap();
    }
    let before = spool.position().spool_id;
    drop(spool);
    let description = folder.path().join("spool.json");
    make_unreadable(&description);
    let spool = open(folder.path(), LIMITS, "boot");
    assert_ne!(spool.position().spool_id, before);
    assert_eq!(spool.position().dropped, 9, "what nobody took is told");
    // Even when nothing was recorded since, it does not come back with numbers whose records are gone.
    assert!(std::fs::symlink_metadata(&description).is_err());
    drop(spool);
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert_ne!(spool.position().spool_id, before);
    assert_eq!(spool.append(b"x").unwrap(), 1);
    assert_eq!(all(&mut spool), [(1, b"x".to_vec())]);
}

#[test]
fn a_segment_that_cannot_be_read_is_counted_and_none_of_its_numbers_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for number in 1..=9_u8 {
        spool.append(&[number; 100]).unwrap();
    }
    let before = all(&mut spool);
    drop(spool);
    make_unreadable(&newest_segment(folder.path()));
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert_eq!(spool.position().dropped, 1);
    let kept = all(&mut spool);
    assert!(!kept.is_empty() && before.starts_with(&kept), "{kept:?}");
    assert_eq!(spool.append(b"x").unwrap(), RESERVED_BLOCK + 1);
}

#[test]
fn what_a_lost_segment_held_is_counted_by_the_one_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for number in 1..=20_u8 {
        spool.append(&[number; 100]).unwrap();
    }
    let held = spool.segments[1].records;
    assert!(held > 1, "{held}");
    let path = spool.segments[1].path.clone();
    drop(spool);
    make_unreadable(&path);
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert_eq!(spool.position().dropped, held);
    assert_eq!(all(&mut spool).len() as u64, 20 - held);
}

#[test]
fn only_what_is_about_a_file_costs_its_records() {
    let error = |errno: rustix::io::Errno| io::Error::from_raw_os_error(errno.raw_os_error());
    for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::NOMEM, rustix::io::Errno::ACCESS] {
        assert!(segment::is_about_process(&error(errno)), "{errno}");
    }
    for errno in [rustix::io::Errno::IO, rustix::io::Errno::LOOP, rustix::io::Errno::ISDIR] {
        assert!(!segment::is_about_process(&error(errno)), "{errno}");
    }
}

#[test]
fn the_end_of_the_process_loses_nothing_and_repeats_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for number in 1..=9_u8 {
        spool.append(&[number]).unwrap();
    }
    assert_eq!(all(&mut spool).len(), 9);
    spool.acknowledge(9).unwrap();
    // Dropped without close, as kill -9 would.
    drop(spool);
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert_eq!(spool.append(b"next").unwrap(), 10);
    assert_eq!(all(&mut spool).last(), Some(&(10, b"next".to_vec())));
}

#[test]
fn a_number_is_remembered_when_all_segments_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), SpoolLimits { segment_bytes: 1, ..LIMITS }, "boot");
    for _ in 0..5 {
        spool.append(b"x").unwrap();
    }
    assert_eq!(all(&mut spool).len(), 5);
    spool.acknowledge(5).unwrap();
    assert!(spool.segments.is_empty());
    drop(spool);
    assert_eq!(open(folder.path(), LIMITS, "boot").append(b"y").unwrap(), 6);
}

#[test]
fn after_another_boot_numbers_go_on_behind_the_reserved_block() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot 1");
    for _ in 0..5 {
        spool.append(b"x").unwrap();
    }
    drop(spool);
    // The power cut took the newest records, which the server may have.
    std::fs::OpenOptions::new().write(true).open(newest_segment(folder.path())).unwrap().set_len(17 * 3).unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot 2");
    assert_eq!(spool.append(b"y").unwrap(), RESERVED_BLOCK + 1);
    // A batch has no gap inside.
    let batch = spool.read_after(0, 128, 1000, 0).unwrap().unwrap();
    assert_eq!((batch.first_sequence, batch.last_sequence()), (1, 3));
    let batch = spool.read_after(3, 128, 1000, 0).unwrap().unwrap();
    assert_eq!(batch.first_sequence, RESERVED_BLOCK + 1);
}

#[test]
fn a_folder_that_was_put_back_begins_a_new_life_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for _ in 0..3 {
        spool.append(b"x").unwrap();
    }
    assert_eq!(all(&mut spool).len(), 3);
    spool.acknowledge(1).unwrap();
    let before = spool.position();
    spool.acknowledge(40).unwrap();
    let after = spool.position();
    assert_ne!(after.spool_id, before.spool_id);
    assert_eq!((after.kept, after.acknowledged, after.dropped), (Some((2, 3)), 1, 0));
    assert_eq!(spool.append(b"y").unwrap(), 4);
    drop(spool);
    let spool = open(folder.path(), LIMITS, "boot");
    assert_eq!((spool.position().spool_id, spool.position().kept), (after.spool_id, Some((2, 4))));
}

/// The box had been online for long when its folder was put back, and recorded much before it saw the server again.
#[test]
fn a_folder_that_was_put_back_and_went_on_begins_a_new_life() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for _ in 0..3 {
        spool.append(b"old").unwrap();
    }
    drop(spool);
    let mut spool = open(folder.path(), LIMITS, "boot");
    for _ in 0..7 {
        spool.append(b"new").unwrap();
    }
    let before = spool.position();
    // The server has five records by the first life of these numbers. This one has recorded ten and sent none.
    spool.acknowledge(5).unwrap();
    let after = spool.position();
    assert_ne!(after.spool_id, before.spool_id);
    assert_eq!((after.kept, after.acknowledged, after.dropped), (Some((1, 10)), 0, 0));
    // From now on the numbers are its own.
    assert_eq!(all(&mut spool).len(), 10);
    spool.acknowledge(5).unwrap();
    assert_eq!((spool.position().spool_id, spool.position().acknowledged), (after.spool_id, 5));
}

/// What was recorded before the process ended may have been sent by it.
#[test]
fn what_an_earlier_process_sent_is_acknowledged_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for _ in 0..5 {
        spool.append(b"x").unwrap();
    }
    drop(spool);
    let mut spool = open(folder.path(), LIMITS, "boot");
    let before = spool.position().spool_id;
    spool.append(b"y").unwrap();
    spool.acknowledge(5).unwrap();
    assert_eq!((spool.position().spool_id, spool.position().kept), (before, Some((6, 6))));
}

#[test]
fn a_torn_end_is_cut_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for _ in 0..3 {
        spool.append(b"abc").unwrap();
    }
    drop(spool);
    let path = newest_segment(folder.path());
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert_eq!(spool.position().kept, Some((1, 2)));
    assert_eq!(spool.position().dropped, 1);
    assert_eq!(spool.append(b"def").unwrap(), 3);
    assert_eq!(all(&mut spool).len(), 3);
}

#[test]
fn beyond_the_caps_the_oldest_go_and_are_counted_durably() {
    let folder = tempfile::tempdir().unwrap();
    let limits = SpoolLimits { records_max: 30, ..LIMITS };
    let mut spool = open(folder.path(), limits, "boot");
    for _ in 0..100 {
        spool.append(&[7; 20]).unwrap();
    }
    let position = spool.position();
    let (first, last) = position.kept.unwrap();
    assert_eq!(last, 100);
    assert!(position.pending() <= 30 && position.pending() > 20, "{position:?}");
    assert_eq!(position.dropped, first - 1);
    drop(spool);
    assert_eq!(open(folder.path(), limits, "boot").position(), position);
}

#[test]
fn a_segment_that_vanished_is_counted_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    for _ in 0..20 {
        spool.append(&[1; 30]).unwrap();
    }
    let lost = spool.segments[1].records;
    std::fs::remove_file(&spool.segments[1].path).unwrap();
    assert_eq!(all(&mut spool).len() as u64, 20 - lost);
    assert_eq!(spool.position().dropped, lost);
}

#[test]
fn a_disk_that_takes_nothing_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let limits = SpoolLimits { segment_bytes: 1, ..LIMITS };
    let mut spool = open(folder.path(), limits, "boot 1");
    for _ in 0..5 {
        spool.append(b"x").unwrap();
    }
    assert_eq!(all(&mut spool).len(), 5);
    // A folder in the way of the temporary file: the description cannot be replaced any more.
    let obstacle = folder.path().join("spool.json.new");
    std::fs::create_dir(&obstacle).unwrap();
    spool.acknowledge(5).unwrap();
    assert_eq!(spool.segments.len(), 1, "all but the newest are gone");
    assert_eq!(spool.position().kept, None);
    drop(spool);

    let mut spool = open(folder.path(), limits, "boot 2");
    assert!(spool.append(b"y").is_err(), "no number is used that was not reserved");
    assert_eq!(spool.position().dropped, 1);
    drop(spool);
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(open(folder.path(), limits, "boot 2").append(b"z").unwrap(), RESERVED_BLOCK + 1);
}

#[test]
fn an_unreadable_description_begins_a_new_life() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    spool.append(b"old").unwrap();
    let before = spool.position().spool_id;
    drop(spool);
    std::fs::write(folder.path().join("spool.json"), b"{").unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert_ne!(spool.position().spool_id, before);
    assert_eq!(all(&mut spool), []);
    assert_eq!(spool.append(b"new").unwrap(), 1);
}

#[test]
fn an_item_beyond_any_message_is_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LIMITS, "boot");
    assert!(matches!(spool.append(&vec![0; PAYLOAD_MAX_BYTES + 1]), Err(SpoolError::TooLarge(_))));
    assert_eq!(spool.position().dropped, 1);
    assert_eq!(spool.append(b"small").unwrap(), 1);
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    /// Acknowledge this share of what waits, in percent.
    Acknowledge(u8),
    Kill,
    /// The process ends after so many bytes of an append.
    TornAppend(u8),
    /// Another boot, with so many bytes of the newest segment lost.
    PowerCut(u8),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<u8>().prop_map(Step::Append),
        2 => (0..=100_u8).prop_map(Step::Acknowledge),
        1 => Just(Step::Kill),
        1 => (1..25_u8).prop_map(Step::TornAppend),
        1 => (0..120_u8).prop_map(Step::PowerCut),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever happens: what is read back is what was written under that number, in order, nothing acknowledged comes
    /// again, and everything missing was torn away, dropped or acknowledged.
    #[test]
    fn any_history_keeps_its_promises(steps in proptest::collection::vec(step(), 1..120)) {
        let folder = tempfile::tempdir().unwrap();
        let limits = SpoolLimits { records_max: 40, ..LIMITS };
        let mut boot = 0;
        let mut spool = open(folder.path(), limits, "0");
        // What the server could have seen under each number.
        let mut written: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut acknowledged = 0;
        let mut has_lost = false;
        for step in steps {
            match step {
                Step::Append(byte) => {
                    let payload = vec![byte; usize::from(byte) % 40];
                    let sequence = spool.append(&payload).unwrap();
                    prop_assert!(sequence > acknowledged);
                    prop_assert!(!written.contains_key(&sequence), "{sequence} was given twice");
                    written.insert(sequence, payload);
                }
                Step::Acknowledge(percent) => {
                    if let Some((first, last)) = spool.position().kept {
                        acknowledged = first - 1 + (last - first + 1) * u64::from(percent) / 100;
                        spool.acknowledge(acknowledged).unwrap();
                    }
                }
                Step::Kill => {
                    drop(spool);
                    spool = open(folder.path(), limits, &boot.to_string());
                }
                Step::TornAppend(bytes) => {
                    let next = spool.next_sequence;
                    let has_segment = !spool.segments.is_empty();
                    drop(spool);
                    if has_segment {
                        let record = record::encode(next, &[9; 10]);
                        let mut file = std::fs::OpenOptions::new().append(true).open(newest_segment(folder.path())).unwrap();
                        io::Write::write_all(&mut file, &record[..usize::from(bytes)]).unwrap();
                    }
                    spool = open(folder.path(), limits, &boot.to_string());
                }
                Step::PowerCut(bytes) => {
                    let has_segment = !spool.segments.is_empty();
                    drop(spool);
                    if has_segment {
                        let path = newest_segment(folder.path());
                        let length = std::fs::metadata(&path).unwrap().len();
                        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                        file.set_len(length.saturating_sub(u64::from(bytes))).unwrap();
                        has_lost = true;
                    }
                    boot += 1;
                    spool = open(folder.path(), limits, &boot.to_string());
                }
                Step::Close => {
                    spool.close().unwrap();
                    spool = open(folder.path(), limits, &boot.to_string());
                }
            }
            let position = spool.position();
            let found = all(&mut spool);
            prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for (sequence, payload) in &found {
                prop_assert_eq!(written.get(sequence), Some(payload));
                prop_assert!(*sequence > position.acknowledged);
            }
            if !has_lost {
                let missing = written.len() - found.len();
                let explained = usize::try_from(position.dropped + acknowledged).unwrap();
                prop_assert!(missing <= explained, "{missing} missing, {explained} explained");
                prop_assert!(found.len() <= 40);
            }
        }
    }
}
