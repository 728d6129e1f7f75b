//! The file of checkpoints.

use super::*;

fn checkpoint(organization: u128, incarnation: u64, sequence: u64) -> Checkpoint {
    Checkpoint {
        organization: OrganizationId::from_uuid(uuid::Uuid::from_u128(organization)),
        incarnation,
        sequence,
        hash: [7; 32],
        at_us: 1_790_000_000_000_000 + i64::try_from(sequence).unwrap(),
        key_id: [8; 32],
        signature: vec![9; 71],
    }
}

fn places(checkpoints: &[Checkpoint]) -> Vec<(u128, u64, u64)> {
    let place = |checkpoint: &Checkpoint| {
        (checkpoint.organization.as_uuid().as_u128(), checkpoint.incarnation, checkpoint.sequence)
    };
    checkpoints.iter().map(place).collect()
}

#[tokio::test]
async fn each_checkpoint_is_written_once_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_folder(folder.path()).unwrap(), []);
    let mut file = CheckpointFile::open(folder.path()).unwrap();
    let first = [checkpoint(1, 1, 5), checkpoint(2, 1, 3)];
    file.append(first.to_vec()).await.unwrap();
    file.append(first.to_vec()).await.unwrap();
    assert_eq!(read_folder(folder.path()).unwrap(), first);
    // The next process goes on where this one was.
    let mut file = CheckpointFile::open(folder.path()).unwrap();
    file.append([&first[..], &[checkpoint(1, 1, 9)]].concat()).await.unwrap();
    // So does a database that came back from a backup.
    file.append(vec![checkpoint(1, 2, 7), checkpoint(1, 1, 8)]).await.unwrap();
    let expected = [(1, 1, 5), (2, 1, 3), (1, 1, 9), (1, 2, 7)];
    assert_eq!(places(&read_folder(folder.path()).unwrap()), expected);
}

#[tokio::test]
async fn a_full_file_becomes_the_one_before_and_the_newest_of_each_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = CheckpointFile::open(folder.path()).unwrap();
    file.append(vec![checkpoint(1, 1, 1)]).await.unwrap();
    file.max_bytes = file.written * 4;
    file.append(vec![checkpoint(2, 1, 1)]).await.unwrap();
    for sequence in 2..20 {
        file.append(vec![checkpoint(2, 1, sequence)]).await.unwrap();
        let kept = read(&folder.path().join(FILE)).unwrap();
        assert!(kept.len() <= 5, "{}", kept.len());
        let all = places(&read_folder(folder.path()).unwrap());
        assert!(all.contains(&(1, 1, 1)) && all.contains(&(2, 1, sequence)), "{all:?}");
    }
    let before = read(&folder.path().join(FILE_BEFORE)).unwrap();
    assert!(before.len() >= 3);
}

#[tokio::test]
async fn what_was_cut_off_is_mended_and_what_is_garbage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    CheckpointFile::open(folder.path()).unwrap().append(vec![checkpoint(1, 1, 1)]).await.unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"organi")).unwrap();
    assert_eq!(read(&path).unwrap().len(), 1);
    CheckpointFile::open(folder.path()).unwrap().append(vec![checkpoint(1, 1, 2)]).await.unwrap();
    assert_eq!(read(&path).unwrap().len(), 2);
    std::fs::write(&path, format!("garbage\n{whole}")).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.starts_with("line 1 of "), "{error}");
}

#[tokio::test]
async fn a_file_that_was_taken_away_begins_anew_with_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = CheckpointFile::open(folder.path()).unwrap();
    file.append(vec![checkpoint(1, 1, 1), checkpoint(2, 1, 4)]).await.unwrap();
    std::fs::remove_file(folder.path().join(FILE)).unwrap();
    file.begin_anew().await.unwrap();
    assert_eq!(read_folder(folder.path()).unwrap().len(), 2);
}
