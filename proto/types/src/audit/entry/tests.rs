//! The form that is hashed: every version of it that was ever written.

use super::*;
use crate::audit::testing::{TOOLS, entry};
use crate::audit::{Checkpoint, Cut, key_id_message};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An entry with everything, and one with nothing that may be left out.
fn entries() -> [Entry; 2] {
    let organization = OrganizationId::from_uuid(Uuid::from_u128(0x018f_3c1e_7d2a_7c3b_9f10_2b6f_0c9a_5d11));
    let full = entry(organization, 3);
    let bare = Entry {
        sequence: 2,
        id: -1,
        action: String::new(),
        target: "ä".to_owned(),
        request_id: String::new(),
        actor_kind: 3,
        actor_id: None,
        consent_id: None,
        personal: std::array::from_fn(|_| PersonalField::default()),
        ..full.clone()
    };
    [full, bare]
}

/// A change here makes every chain that was ever sealed look tampered with: make another form with another number instead.
#[test]
fn version_1_is_what_it_was() {
    let mut lines = Vec::new();
    let organization = entries()[0].organization;
    lines.push(format!("genesis {}", hex(&genesis_message(organization))));
    for entry in entries() {
        let digests = entry.digests(TOOLS);
        lines.push(format!("entry {}", hex(&entry.message(&[0xab; 32], entry.sequence, &digests))));
        lines.push(format!("hash {}", hex(&entry.hash_at(TOOLS, &[0xab; 32], entry.sequence))));
    }
    let (hash, key_id) = ([0xcd; 32], [0xef; 32]);
    let checkpoint =
        Checkpoint { organization, incarnation: 2, sequence: 3, hash, at_us: 4, key_id, signature: Vec::new() };
    lines.push(format!("checkpoint {}", hex(&checkpoint.message())));
    let cut = Cut { organization, sequence: 3, hash, at_us: 4, key_id, signature: Vec::new() };
    lines.push(format!("cut {}", hex(&cut.message())));
    lines.push(format!("key {}", hex(&key_id_message(&[4; 65]))));
    let made = lines.join("\n") + "\n";
    assert_eq!(made, include_str!("../golden/form-1.txt"));
}

/// What one text loses the next does not take over.
#[test]
fn parts_do_not_run_into_each_other() {
    let [full, _bare] = entries();
    let mut moved = full.clone();
    let letter = moved.action.pop().unwrap();
    moved.target.insert(0, letter);
    assert_ne!(full.hash_at(TOOLS, &[0; 32], 3), moved.hash_at(TOOLS, &[0; 32], 3));
    let mut moved = full.clone();
    moved.personal.swap(2, 3);
    assert_ne!(full.hash_at(TOOLS, &[0; 32], 3), moved.hash_at(TOOLS, &[0; 32], 3));
    let same = |text: &str| PersonalField { text: Some(text.to_owned()), salt: Some([1; 16]), digest: None };
    let (before, after) = (Personal::Before, Personal::After);
    assert_ne!(same("{}").digest_of_text(TOOLS, before), same("{}").digest_of_text(TOOLS, after));
}

#[test]
fn an_erased_field_leaves_the_hash_as_it_was() {
    let [mut full, _bare] = entries();
    for (kind, field) in Personal::ALL.into_iter().zip(&mut full.personal) {
        field.digest = field.digest_of_text(TOOLS, kind);
    }
    let before = full.hash_at(TOOLS, &[0; 32], 3);
    assert_eq!(full.erased().count(), 0);
    for field in &mut full.personal {
        (field.text, field.salt) = (None, None);
    }
    assert_eq!(full.hash_at(TOOLS, &[0; 32], 3), before);
    assert_eq!(full.erased().count(), 4);
    assert_eq!(full.unsound(TOOLS).count(), 0);
}
