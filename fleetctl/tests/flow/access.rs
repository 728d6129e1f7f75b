//! Support's way into a home.

use crate::double::{Double, Logins, World};
use crate::people::{consent, organization};
use crate::things::{id, installation};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_proto::fleet::v1::{ConsentState, Role};
use tonic::Status;

async fn signed_in(test: &str) -> (Double, Workbench) {
    let double = Double::start(World {
        logins: Logins::signed_in(),
        organizations: vec![organization(1, "Acme", Role::Support)],
        installations: vec![installation()],
        ..World::default()
    })
    .await;
    let workbench = Workbench::signed_in(&double, test, 900);
    (double, workbench)
}

/// Asks for access to the one home.
fn ask<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let words = ["access", "request", "installation/Haus am See", "--reason", "The heating does not start"];
    words.into_iter().chain(more.iter().copied()).collect()
}

#[tokio::test]
async fn support_asks_with_a_reason_and_a_time() {
    let (double, workbench) = signed_in("access-request").await;
    let asked = workbench.run_words(&ask(&["--for", "2h", "-o", "json"])).await;
    assert_eq!(asked.code, 0, "{}", asked.error);
    assert_snapshot!("access_json", asked.output);
    assert!(double.calls().contains(&"request_consent: 7200 s".to_owned()));
    let again = workbench.run_words(&ask(&[])).await;
    assert!(again.code == 5 && again.error.contains("fleetctl access end"), "{again:?}");
    assert_eq!(workbench.run("access request x --for 2h").await.code, 2, "without a reason");
    for time in ["14m", "8d", "200y"] {
        let ended = workbench.run_words(&ask(&["--for", time])).await;
        assert!(ended.code == 2 && ended.error.contains("15m to 7d"), "{ended:?}");
    }
    assert_eq!(workbench.run("access end anna").await.code, 2);
    double.world().refusal = Some(Status::failed_precondition("This home has no owner."));
    assert_eq!(workbench.run_words(&ask(&[])).await.code, 5);
}

#[tokio::test]
async fn a_decision_is_waited_for() {
    use ConsentState::{Denied, Expired, Granted, Waiting};
    let away = || Err(Status::unavailable("The server starts."));
    let ends = [
        ("granted", vec![Ok(Waiting), Ok(Granted)], 0, "You may act in installation/Haus am See now"),
        ("denied", vec![Ok(Denied)], 4, "said no"),
        ("expired", vec![Ok(Waiting), Ok(Waiting), Ok(Expired)], 6, "decided in time"),
        ("away", vec![away(), away(), Ok(Granted)], 0, "still trying"),
        ("refused", vec![Err(Status::permission_denied("No."))], 4, "No"),
    ];
    for (name, decisions, code, said) in ends {
        let (double, workbench) = signed_in(&format!("access-wait-{name}")).await;
        double.world().decisions = decisions.into();
        let ended = workbench.run_words(&ask(&["--wait", "-o", "name"])).await;
        assert!(ended.code == code && ended.error.contains(said), "{name}: {ended:?}");
        let expected = if name == "refused" { String::new() } else { format!("access/{}\n", id(60)) };
        assert_eq!(ended.output, expected, "{name}");
    }
}

#[tokio::test]
async fn an_owner_sees_who_asks_and_decides() {
    let (double, mut workbench) = signed_in("access-decide").await;
    double.world().consents = vec![
        consent(61, ConsentState::Waiting),
        consent(62, ConsentState::Granted),
        consent(63, ConsentState::Waiting),
        consent(64, ConsentState::Denied),
    ];
    assert_snapshot!("accesses", workbench.output("access list").await);
    assert_snapshot!("accesses_wide", workbench.output("access list --open -o wide").await);
    let asked = workbench.run(&format!("access approve access/{}", id(61))).await;
    assert_eq!(asked.code, 2);
    assert_snapshot!("access_question", asked.error);
    workbench.can_ask = true;
    workbench.input = "y\n".to_owned();
    let granted = workbench.output(&format!("access approve {} -o json", id(61))).await;
    assert!(granted.contains("\"state\": \"granted\""), "{granted}");
    assert_eq!(double.calls().last().map(String::as_str), Some("decide_consent: true"));
    let denied = workbench.output(&format!("access deny {} -o json", id(63))).await;
    assert!(denied.contains("\"state\": \"denied\""), "{denied}");
    let ended = workbench.output(&format!("access end {} -o json", id(62))).await;
    assert!(ended.contains("\"state\": \"ended\""), "{ended}");
    let late = workbench.run(&format!("access deny {}", id(64))).await;
    assert!(late.code == 5 && late.error.contains("fleetctl access list"), "{late:?}");
    assert_eq!(workbench.run(&format!("access end {}", id(77))).await.code, 3);
    assert_eq!(workbench.run(&format!("access approve {} --yes", id(77))).await.code, 3);
}
