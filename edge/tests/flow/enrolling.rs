use crate::boxed::{RunningBox, config};
use crate::double::{Answer, Double, sha256};
use crate::within;
use kaliun_edge::agent::AgentError;
use kaliun_edge::agent_state::{AgentState, EnrollmentState};
use kaliun_types::claim_check::{CheckCharacters, CheckParts};

#[tokio::test]
async fn a_join_token_is_enough() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let state = running.until("enrolled", |state| state.is_enrolled()).await;
    let EnrollmentState::Enrolled { name, .. } = state.enrollment else { panic!("enrolled") };
    assert_eq!(name, "test-box");
    let begun = double.begun.recv().await.unwrap();
    assert_eq!(begun.join_token, double.join_token().expose());
    assert!(!begun.hostname.is_empty());
    // With its certificate it comes to the link.
    double.attempt().await;
    running.stop().await.unwrap();

    // Started again it needs no enrolment.
    let again = RunningBox::start(folder.path(), config(&double));
    double.attempt().await;
    assert!(double.begun.try_recv().is_err());
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_code_is_shown_until_somebody_says_yes() {
    let mut double = Double::start().await;
    double.answer.send_replace(Answer::Pend("ABCD2345".to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let mut by_code = config(&double);
    by_code.trust_hash = Some(double.trust_hash());
    by_code.join_token = None;
    let running = RunningBox::start(folder.path(), by_code);
    let shows = |code: &'static str| move |state: &AgentState| matches!(&state.enrollment, EnrollmentState::Pending { claim_code, .. } if claim_code.as_str() == code);
    let state = running.until("pending", shows("ABCD2345")).await;
    let begun = double.begun.recv().await.unwrap();
    assert_eq!(begun.join_token, "");
    let EnrollmentState::Pending { fingerprint, .. } = state.enrollment else { panic!("pending") };
    let digits = data_encoding::HEXLOWER.encode(&sha256(&begun.public_key_info));
    assert_eq!(fingerprint.replace(' ', ""), digits[..16]);

    double.answer.send_replace(Answer::Pend("WXYZ6789".to_owned()));
    running.until("a new code", shows("WXYZ6789")).await;
    double.answer.send_replace(Answer::Entered("WXYZ6789".to_owned(), vec![9; 32]));
    let state = running.until("check characters", |state| !shown(state).is_empty()).await;
    let key_hash = sha256(&begun.public_key_info);
    let revealed = within(double.revealed.recv()).await.unwrap();
    assert_eq!(revealed.commitment, sha256(&revealed.bytes), "what it named with its proof");
    let parts = CheckParts {
        key_hash: &key_hash,
        trust_hash: &double.trust_hash(),
        server_nonce: &[9; 32],
        box_nonce: &revealed.bytes.try_into().unwrap(),
        code: "WXYZ6789",
    };
    assert_eq!(shown(&state), CheckCharacters::from_hash(&sha256(&parts.message())).as_str());
    double.answer.send_replace(Answer::Issue);
    running.until("enrolled", |state| state.is_enrolled()).await;
    double.attempt().await;
    running.stop().await.unwrap();
}

/// The check characters on the box's screen; empty while it shows none.
fn shown(state: &AgentState) -> String {
    if let EnrollmentState::Pending { check, .. } = &state.enrollment {
        check.as_str().to_owned()
    } else {
        String::new()
    }
}

/// A server in the middle has had its own key entered at ours, so it knows the characters that we expect, and wants this box to show the
/// same. It may choose the nonce and the code as late as it likes, but has to send them before it knows the box's bytes; after that the
/// box takes no others.
#[tokio::test]
async fn a_server_in_the_middle_cannot_make_a_box_show_what_it_wants() {
    const EXPECTED: &str = "AC34";
    let mut double = Double::start().await;
    let trust_hash = double.trust_hash();
    double.answer.send_replace(Answer::Pend("WXYZ6789".to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let mut by_code = config(&double);
    by_code.trust_hash = Some(trust_hash);
    by_code.join_token = None;
    let running = RunningBox::start(folder.path(), by_code);
    running.until("a code", |state| matches!(state.enrollment, EnrollmentState::Pending { .. })).await;
    let key_hash = sha256(&double.begun.recv().await.unwrap().public_key_info);
    // Four characters are few: with all of the box's parts it finds a nonce that fits.
    let search = |bytes: &[u8; 32]| {
        (0_u64..).map(nonce_of).find(|nonce| {
            let parts = CheckParts {
                key_hash: &key_hash,
                trust_hash: &trust_hash,
                server_nonce: nonce,
                box_nonce: bytes,
                code: "WXYZ6789",
            };
            CheckCharacters::from_hash(&sha256(&parts.message())).as_str() == EXPECTED
        })
    };
    let entered = |nonce: Option<[u8; 32]>| Answer::Entered("WXYZ6789".to_owned(), nonce.unwrap().to_vec());
    // It has to guess the bytes, and this is what the box showed for it.
    double.answer.send_replace(entered(search(&[0; 32])));
    let state = running.until("check characters", |state| !shown(state).is_empty()).await;
    assert_ne!(shown(&state), EXPECTED);

    let bytes = within(double.revealed.recv()).await.unwrap().bytes.try_into().unwrap();
    double.answer.send_replace(entered(search(&bytes)));
    let state = running
        .until("another state", |state| {
            shown(state) == EXPECTED || matches!(state.enrollment, EnrollmentState::Failed { .. })
        })
        .await;
    let EnrollmentState::Failed { reason, .. } = state.enrollment else { panic!("it shows what the middle wants") };
    assert_eq!(reason, "link.protocol_error");
    running.stop().await.unwrap();
}

fn nonce_of(number: u64) -> [u8; 32] {
    let mut nonce = [0; 32];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// Nor by another code: whoever entered the first one does not compare it again.
#[tokio::test]
async fn a_stream_shows_check_characters_for_one_code() {
    let double = Double::start().await;
    double.answer.send_replace(Answer::Entered("WXYZ6789".to_owned(), vec![9; 32]));
    let folder = tempfile::tempdir().unwrap();
    let mut by_code = config(&double);
    by_code.trust_hash = Some(double.trust_hash());
    by_code.join_token = None;
    let running = RunningBox::start(folder.path(), by_code);
    let state = running.until("check characters", |state| !shown(state).is_empty()).await;
    let before = shown(&state);
    double.answer.send_replace(Answer::Entered("ACDE3467".to_owned(), vec![9; 32]));
    let state = running
        .until("another state", |state| {
            let EnrollmentState::Pending { .. } = state.enrollment else { return true };
            shown(state) != before
        })
        .await;
    assert!(matches!(state.enrollment, EnrollmentState::Failed { .. }), "{state:?}");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_nonce_of_another_length_shows_nothing() {
    let double = Double::start().await;
    double.answer.send_replace(Answer::Entered("WXYZ6789".to_owned(), vec![9; 31]));
    let folder = tempfile::tempdir().unwrap();
    let mut by_code = config(&double);
    by_code.trust_hash = Some(double.trust_hash());
    by_code.join_token = None;
    let running = RunningBox::start(folder.path(), by_code);
    let state = running.until("a failure", |state| matches!(state.enrollment, EnrollmentState::Failed { .. })).await;
    let EnrollmentState::Failed { reason, tries_again, .. } = state.enrollment else { panic!("failed") };
    assert_eq!((reason.as_str(), tries_again), ("link.protocol_error", true));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_broken_stream_goes_on_with_the_same_key() {
    let mut double = Double::start().await;
    double.answer.send_replace(Answer::Break);
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let first = within(double.begun.recv()).await.unwrap();
    running.until("a failure", |state| matches!(state.enrollment, EnrollmentState::Failed { .. })).await;
    running.kill().await;
    double.answer.send_replace(Answer::Issue);
    let running = RunningBox::start(folder.path(), config(&double));
    let second = within(double.begun.recv()).await.unwrap();
    assert_eq!(first, second);
    running.until("enrolled", |state| state.is_enrolled()).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_final_or_tried_again() {
    let mut double = Double::start().await;
    let refuse = |reason: &str, retry_after_ms| Answer::Refuse { reason: reason.to_owned(), retry_after_ms };
    double.answer.send_replace(refuse("enrollment.busy", Some(10)));
    let folder = tempfile::tempdir().unwrap();
    let mut only_enroll = config(&double);
    only_enroll.only_enroll = true;
    let running = RunningBox::start(folder.path(), only_enroll);
    within(double.begun.recv()).await.unwrap();
    running
        .until("a retry", |state| matches!(state.enrollment, EnrollmentState::Failed { tries_again: true, .. }))
        .await;
    double.answer.send_replace(refuse("enrollment.token_expired", None));
    within(double.begun.recv()).await.unwrap();
    let state = running.state.clone();
    running.ended().await.unwrap();
    let last = state.borrow().enrollment.clone();
    let EnrollmentState::Failed { reason, tries_again: false, .. } = last else { panic!("{last:?}") };
    assert_eq!(reason, "enrollment.token_expired");
}

#[tokio::test]
async fn another_server_than_the_hash_says_learns_nothing() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = config(&double);
    wrong.join_token = None;
    wrong.trust_hash = Some([5; 32]);
    let running = RunningBox::start(folder.path(), wrong);
    let state = running.until("a failure", |state| matches!(state.enrollment, EnrollmentState::Failed { .. })).await;
    let EnrollmentState::Failed { reason, tries_again, .. } = state.enrollment else { panic!("failed") };
    assert_eq!((reason.as_str(), tries_again), ("peer.server_untrusted", true));
    running.stop().await.unwrap();
    assert!(double.begun.try_recv().is_err());
}

#[tokio::test]
async fn a_folder_belongs_to_one_control_plane() {
    let double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    running.until("enrolled", |state| state.is_enrolled()).await;
    running.stop().await.unwrap();
    let other = Double::start().await;
    let refused = RunningBox::start(folder.path(), config(&other)).ended().await;
    assert!(matches!(refused, Err(AgentError::OtherControlPlane)), "{refused:?}");
}
