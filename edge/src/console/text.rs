//! The texts on the screen: pure.

use crate::agent_state::EnrollmentState;
use kaliun_types::reason::ReasonCode;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// What to show for a state to whoever stands there.
pub(super) fn screen(enrollment: &EnrollmentState) -> Option<String> {
    match enrollment {
        EnrollmentState::Asking => None,
        EnrollmentState::Failed { reason, message, tries_again } => Some(failed(reason, message, *tries_again)),
        EnrollmentState::Enrolled { device_id, name, .. } => Some(format!("Enrolled as {name} ({device_id}).\n")),
        EnrollmentState::Decommissioned { name, is_wiped, .. } => Some(out_of_service(name, *is_wiped)),
        EnrollmentState::Pending { claim_code, fingerprint, .. } if claim_code.is_empty() => {
            Some(format!("\n  This box waits for an operator's approval.\n  Key fingerprint  {fingerprint}\n\n"))
        }
        // The code is in use: what counts now are the check characters.
        EnrollmentState::Pending { claim_code, fingerprint, check, .. } if !check.is_empty() => Some(format!(
            "\n  Somebody entered the code {} of this box.\n  If it was you, type these characters there. If it was not, tell nobody.\n\n  Check characters {}\n  Key fingerprint  {fingerprint}\n\n",
            claim_code.as_str(),
            check.as_str(),
        )),
        EnrollmentState::Pending { claim_code, claim_url, fingerprint, .. } => {
            let qr = QrCode::new(claim_url.as_str())
                .map(|code| code.render::<Dense1x2>().quiet_zone(true).build())
                .unwrap_or_default();
            Some(format!(
                "\n{qr}\n\n  Claim this box   {}\n  Claim code       {}\n  Key fingerprint  {fingerprint}\n\n",
                claim_url.as_str(),
                claim_code.as_str(),
            ))
        }
    }
}

/// What a service says of a state: no code, no check characters, and nothing that leads to them.
pub(super) fn without_secrets(enrollment: &EnrollmentState) -> Option<String> {
    match enrollment {
        EnrollmentState::Pending { claim_code, check, .. } if !claim_code.is_empty() => {
            let what = if check.is_empty() {
                "This box waits to be claimed. Its code is shown on a terminal alone"
            } else {
                "Somebody entered the code of this box. Its check characters are shown on a terminal alone"
            };
            Some(format!(
                "{what}: give its device with --console, such as /dev/tty1, or run the agent in a terminal.\n"
            ))
        }
        EnrollmentState::Asking
        | EnrollmentState::Pending { .. }
        | EnrollmentState::Enrolled { .. }
        | EnrollmentState::Decommissioned { .. }
        | EnrollmentState::Failed { .. } => screen(enrollment),
    }
}

/// Takes the place of a code that counts no more.
fn failed(reason: &str, message: &str, tries_again: bool) -> String {
    let said = said(reason, message);
    let goes_on = if tries_again {
        TRIES_AGAIN
    } else {
        "Then start the agent again; left running, it looks again within an hour."
    };
    format!("\n  This box is not enrolled. A code that was shown before may not count any more.\n{said}  {goes_on}\n\n")
}

/// What a box does by itself that looks whether somebody has acted.
pub(super) const LOOKS_AGAIN: &str = "The box looks again within an hour.";
/// What a box does by itself that goes on trying.
pub(super) const TRIES_AGAIN: &str = "The box tries again by itself.";
/// What a box does by itself that is out of service.
pub(super) const NEVER_AGAIN: &str = "The box asks nobody any more.";

/// What keeps an enrolled box from its control plane, where somebody has to act.
pub(super) fn problem(reason: &str, message: &str, goes_on: &str) -> String {
    let said = said(reason, message);
    format!("\n  This box is not connected to its control plane, and somebody has to act.\n{said}  {goes_on}\n\n")
}

/// Takes the place of a problem that is over.
pub(super) fn connected_again(enrollment: &EnrollmentState) -> String {
    match enrollment {
        EnrollmentState::Enrolled { device_id, name, .. } => {
            format!("Enrolled as {name} ({device_id}), and connected again.\n")
        }
        EnrollmentState::Asking
        | EnrollmentState::Pending { .. }
        | EnrollmentState::Decommissioned { .. }
        | EnrollmentState::Failed { .. } => "This box is connected again.\n".to_owned(),
    }
}

/// What is wrong and what to do. A server most often says nothing else than what to do.
fn said(reason: &str, message: &str) -> String {
    let (message, next_step) = (harmless(message), next_step(reason));
    if message.ends_with(next_step) {
        format!("  {message} ({reason})\n\n")
    } else {
        format!("  {message} ({reason})\n\n  {next_step}\n")
    }
}

/// Words from outside do not steer a terminal.
fn harmless(message: &str) -> String {
    message.chars().filter(|character| !character.is_control()).collect()
}

fn next_step(reason: &str) -> &'static str {
    ReasonCode::from_code(reason).map_or("See the agent's log.", ReasonCode::next_step)
}

/// What stands on the screen of a box that was taken out of service, and how it comes back.
fn out_of_service(name: &str, is_wiped: bool) -> String {
    let name = if name.is_empty() { "This box".to_owned() } else { format!("This box, {name},") };
    let wiped = if is_wiped {
        "It has deleted its key, its certificate and what it had recorded."
    } else {
        "It keeps its key, which counts for nothing any more."
    };
    format!(
        "\n  {name} was taken out of service.\n  {wiped}\n\n  To use it again, stop the agent and enrol the box anew:\n    kaliun-edge enroll --new-key\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown::Shown;

    #[test]
    fn what_the_server_says_in_the_words_of_the_next_step_is_said_once() {
        let reason = ReasonCode::PeerDeviceRevoked;
        let text = problem(reason.code(), reason.next_step(), LOOKS_AGAIN);
        assert_eq!(text.matches(reason.next_step()).count(), 1, "{text}");
        assert!(text.contains("(peer.device_revoked)") && text.contains(LOOKS_AGAIN), "{text}");
    }

    #[test]
    fn the_screen_shows_code_url_fingerprint_and_qr() {
        let pending = EnrollmentState::Pending {
            claim_code: "ACDE3467".to_owned().into(),
            claim_url: "http://127.0.0.1:8080/claim?code=ACDE3467".to_owned().into(),
            expires_at_ms: 0,
            fingerprint: "0011 2233 4455 6677".to_owned(),
            check: Shown::default(),
        };
        let text = screen(&pending).unwrap();
        for part in ["ACDE3467", "/claim?code=", "0011 2233 4455 6677", "█"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("Check characters"), "nobody has entered the code yet: {text}");
        let entered = EnrollmentState::Pending {
            claim_code: "ACDE3467".to_owned().into(),
            claim_url: "http://127.0.0.1:8080/claim?code=ACDE3467".to_owned().into(),
            expires_at_ms: 0,
            fingerprint: "0011 2233 4455 6677".to_owned(),
            check: "K7M4".to_owned().into(),
        };
        // Neither a service's output nor a log has any of it.
        for state in [&pending, &entered] {
            let (said, logged) = (without_secrets(state).unwrap(), format!("{state:?}"));
            assert!(said.contains("--console"), "{said}");
            for secret in ["ACDE3467", "K7M4", "claim?code", "█"] {
                assert!(!said.contains(secret) && !logged.contains(secret), "{said} {logged}");
            }
        }
        let text = screen(&entered).unwrap();
        for part in ["ACDE3467", "Check characters K7M4", "0011 2233 4455 6677"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert_eq!(screen(&EnrollmentState::Asking), None);
        let failed = EnrollmentState::Failed {
            reason: "enrollment.check_failed".to_owned(),
            message: "Too many\u{1b}[2J wrong checks.".to_owned(),
            tries_again: true,
        };
        let text = screen(&failed).unwrap();
        for part in ["not enrolled", "wrong checks. (enrollment.check_failed)", "use the new code", "tries again"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert_eq!(without_secrets(&failed), Some(text));
        let over = |is_wiped| EnrollmentState::Decommissioned { name: "cellar".to_owned(), at_ms: 0, is_wiped };
        let text = screen(&over(true)).unwrap();
        for part in ["cellar", "was taken out of service", "has deleted its key", "kaliun-edge enroll --new-key"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(screen(&over(false)).unwrap().contains("keeps its key"));
    }
}
