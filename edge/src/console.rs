//! What a person in front of the box sees while somebody has to say yes: the code, its QR, and the key's fingerprint.

use crate::agent_state::{AgentState, EnrollmentState};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::io::{self, Write};
use tokio::sync::watch;

/// Shows each new state of the enrolment until the agent ends.
pub async fn show_enrollment(mut state: watch::Receiver<AgentState>) {
    let mut shown = EnrollmentState::Asking;
    loop {
        let now = state.borrow_and_update().enrollment.clone();
        if now != shown {
            if let Some(text) = screen(&now) {
                // A closed terminal is no reason to end.
                let _unseen = write_out(&text);
            }
            shown = now;
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// Writes to standard output, flushed.
///
/// # Errors
/// Nobody reads there any more.
pub fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// What to show for a state. Nothing where the log says enough.
fn screen(enrollment: &EnrollmentState) -> Option<String> {
    match enrollment {
        EnrollmentState::Asking | EnrollmentState::Failed { .. } => None,
        EnrollmentState::Enrolled { device_id, name, .. } => Some(format!("Enrolled as {name} ({device_id}).\n")),
        EnrollmentState::Decommissioned { name, is_wiped, .. } => Some(out_of_service(name, *is_wiped)),
        EnrollmentState::Pending { claim_code, fingerprint, .. } if claim_code.is_empty() => {
            Some(format!("\n  This box waits for an operator's approval.\n  Key fingerprint  {fingerprint}\n\n"))
        }
        // The code is in use: what counts now are the check characters.
        EnrollmentState::Pending { claim_code, fingerprint, check, .. } if !check.is_empty() => Some(format!(
            "\n  Somebody entered the code {claim_code} of this box.\n  If it was you, type these characters there. If it was not, tell nobody.\n\n  Check characters {check}\n  Key fingerprint  {fingerprint}\n\n"
        )),
        EnrollmentState::Pending { claim_code, claim_url, fingerprint, .. } => {
            let qr = QrCode::new(claim_url.as_bytes())
                .map(|code| code.render::<Dense1x2>().quiet_zone(true).build())
                .unwrap_or_default();
            Some(format!(
                "\n{qr}\n\n  Claim this box   {claim_url}\n  Claim code       {claim_code}\n  Key fingerprint  {fingerprint}\n\n"
            ))
        }
    }
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

    #[test]
    fn the_screen_shows_code_url_fingerprint_and_qr() {
        let pending = EnrollmentState::Pending {
            claim_code: "ACDE3467".to_owned(),
            claim_url: "http://127.0.0.1:8080/claim?code=ACDE3467".to_owned(),
            expires_at_ms: 0,
            fingerprint: "0011 2233 4455 6677".to_owned(),
            check: String::new(),
        };
        let text = screen(&pending).unwrap();
        for part in ["ACDE3467", "/claim?code=", "0011 2233 4455 6677", "█"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("Check characters"), "nobody has entered the code yet: {text}");
        let entered = EnrollmentState::Pending {
            claim_code: "ACDE3467".to_owned(),
            claim_url: String::new(),
            expires_at_ms: 0,
            fingerprint: "0011 2233 4455 6677".to_owned(),
            check: "K7M4".to_owned(),
        };
        let text = screen(&entered).unwrap();
        for part in ["ACDE3467", "Check characters K7M4", "0011 2233 4455 6677"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert_eq!(screen(&EnrollmentState::Asking), None);
        let over = |is_wiped| EnrollmentState::Decommissioned { name: "cellar".to_owned(), at_ms: 0, is_wiped };
        let text = screen(&over(true)).unwrap();
        for part in ["cellar", "was taken out of service", "has deleted its key", "kaliun-edge enroll --new-key"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(screen(&over(false)).unwrap().contains("keeps its key"));
    }
}
