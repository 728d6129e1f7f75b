//! `fleetctl audit` at a real control plane whose database is tampered with.

use anyhow::{Context as _, ensure};
use kaliun_control_plane::audit::checkpoint_file;
use kaliun_e2e::database;
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::wait::{PATIENCE, until};
use serde_json::Value;

/// What `fleetctl audit verify` ends with.
#[derive(Debug)]
struct Verified {
    code: Option<i32>,
    document: Value,
}

impl Verified {
    fn messages(&self) -> Vec<&str> {
        let faults = self.document.get("faults").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        faults.iter().filter_map(|fault| fault.get("message")?.as_str()).collect()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.document.get(name).and_then(Value::as_u64)
    }
}

async fn verify(fleet: &Fleet, more: &[&str]) -> anyhow::Result<Verified> {
    let output = fleet.fleetctl_output(&[&["audit", "verify", "-o", "json"], more].concat()).await?;
    let error = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout).with_context(|| format!("no JSON, but {error}"))?;
    Ok(Verified { code: output.status.code(), document })
}

/// Makes some changes, and waits until they are sealed, signed and stand beside the database.
async fn change(fleet: &Fleet, count: usize) -> anyhow::Result<u64> {
    for number in 0..count {
        fleet.fleetctl(&["join-token", "create", "--description", &format!("token {number}"), "-o", "json"]).await?;
    }
    let state = fleet.control_plane_state();
    database::change(&state, "UPDATE audit_chain SET checkpoint_at = '-infinity'").await?;
    until("all is sealed and signed", PATIENCE, || async {
        let verified = verify(fleet, &[]).await?;
        let last = verified.number("last");
        let kept = checkpoint_file::read_folder(&state)?;
        let is_kept = kept.iter().any(|checkpoint| Some(checkpoint.sequence) == last);
        Ok(last.filter(|_last| is_kept && verified.number("unsealed") == Some(0)))
    })
    .await
}

/// Tampers, verifies, and puts all back.
async fn tampered(fleet: &Fleet, statements: &str, more: &[&str]) -> anyhow::Result<Verified> {
    let state = fleet.control_plane_state();
    let tables = ["audit", "audit_chain", "audit_checkpoint"];
    let keep = tables.map(|table| format!("CREATE TABLE kept_{table} AS TABLE {table};")).concat();
    database::change(&state, &format!("{keep} {statements}")).await?;
    let verified = verify(fleet, more).await;
    let back = ["audit_checkpoint", "audit_chain", "audit"].map(|table| {
        format!(
            "DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{table}; DROP TABLE kept_{table};"
        )
    });
    database::change(&state, &back.concat()).await?;
    let verified = verified?;
    ensure!(verified.code == Some(8), "{verified:?}");
    Ok(verified)
}

#[tokio::test]
async fn whoever_tampers_with_the_audit_is_found_by_fleetctl() -> anyhow::Result<()> {
    let fleet = Fleet::start(Shape { simulated: 0, sample_interval_ms: 15_000 }).await?;
    change(&fleet, 4).await?;
    let last = change(&fleet, 4).await?;
    let good = verify(&fleet, &[]).await?;
    ensure!(good.code == Some(0) && good.number("last") == Some(last), "{good:?}");
    ensure!(
        good.document.pointer("/compared_with/last").and_then(Value::as_u64) == Some(last),
        "it remembers: {good:?}"
    );
    let people = fleet.fleetctl_output(&["audit", "verify"]).await?;
    let text = String::from_utf8_lossy(&people.stdout).into_owned();
    ensure!(people.status.success() && text.starts_with("The audit holds: "), "{text}");

    let found = tampered(&fleet, "UPDATE audit SET target = 'other' WHERE sequence = 3", &[]).await?;
    ensure!(found.messages() == ["entry 3 was changed, or entry 2 was, and its hash made anew"], "{found:?}");
    let found = tampered(&fleet, "DELETE FROM audit WHERE sequence = 3", &[]).await?;
    ensure!(found.messages() == ["entry 3 is missing"], "{found:?}");
    let swap = "UPDATE audit SET sequence = 1000 WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 4;
                UPDATE audit SET sequence = 4 WHERE sequence = 1000";
    let found = tampered(&fleet, swap, &[]).await?;
    let expected = ["entry 2 is out of order: it stands as entry 4", "entry 4 is out of order: it stands as entry 2"];
    ensure!(found.messages() == expected, "{found:?}");

    // Cut off with all that says so in the database: what fleetctl has seen is left, and the file.
    let cut = "DELETE FROM audit WHERE sequence > 3; DELETE FROM audit_checkpoint WHERE sequence > 3;
               UPDATE audit_chain SET head_sequence = 3, checkpoint_sequence = 0, leased_until = now() + interval '1 hour',
                   head_hash = (SELECT hash FROM audit WHERE sequence = 3 AND audit.organization_id = audit_chain.organization_id)";
    let found = tampered(&fleet, cut, &[]).await?;
    let seen = format!("the chain is cut off after entry 3: the last verification knows entry {last}");
    ensure!(found.messages() == [seen.as_str()], "{found:?}");
    let file = fleet.control_plane_state().join(checkpoint_file::FILE);
    let file = file.to_str().context("the path is text")?;
    let found = tampered(&fleet, cut, &["--checkpoints", file]).await?;
    let kept = format!("the chain is cut off after entry 3: the checkpoint file knows entry {last}");
    ensure!(found.messages() == [kept.as_str(), seen.as_str()], "{found:?}");

    // Another key in the place of the true one.
    let key = "CREATE TABLE kept_key AS TABLE audit_key; UPDATE audit_key SET public_key = '\\x04'";
    database::change(&fleet.control_plane_state(), key).await?;
    let found = verify(&fleet, &[]).await?;
    let back = "UPDATE audit_key SET public_key = (SELECT public_key FROM kept_key); DROP TABLE kept_key";
    database::change(&fleet.control_plane_state(), back).await?;
    let other = "the control plane signs with a key that it did not have at the last verification";
    ensure!(found.code == Some(8) && found.messages().contains(&other), "{found:?}");
    ensure!(verify(&fleet, &["--checkpoints", file]).await?.code == Some(0), "all was put back");
    Ok(())
}

#[tokio::test]
async fn who_did_what_is_listed_in_each_form() -> anyhow::Result<()> {
    let fleet = Fleet::start(Shape { simulated: 0, sample_interval_ms: 15_000 }).await?;
    change(&fleet, 3).await?;
    let list = fleet.fleetctl(&["audit", "log", "--action", "join_token.", "-o", "json"]).await?;
    let items = list.get("items").and_then(Value::as_array).context("a list")?;
    // One is of the fleet's start.
    ensure!(items.len() == 4, "{list}");
    let first = items.first().context("the newest")?;
    ensure!(first.pointer("/actor/kind").and_then(Value::as_str) == Some("api_token"), "{first}");
    ensure!(first.pointer("/after/description").and_then(Value::as_str) == Some("token 2"), "{first}");
    let request = first.get("request_id").and_then(Value::as_str).context("a request")?;
    let of_request = fleet.fleetctl(&["audit", "log", "--request", request, "-o", "json"]).await?;
    ensure!(of_request.get("items").and_then(Value::as_array).is_some_and(|items| items.len() == 1), "{of_request}");
    let none = fleet.fleetctl(&["audit", "log", "--until", "1d", "-o", "json"]).await?;
    ensure!(none.get("items").and_then(Value::as_array).is_some_and(Vec::is_empty), "{none}");

    let text = async |arguments: &[&str]| {
        let output = fleet.fleetctl_output(arguments).await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let table = text(&["audit", "log", "--action", "join_token."]).await?;
    ensure!(table.lines().count() == 5 && table.starts_with("AT "), "{table}");
    let csv = text(&["audit", "log", "--action", "join_token.", "-o", "csv"]).await?;
    ensure!(csv.lines().count() == 5 && csv.starts_with("sequence,at,actor,"), "{csv}");
    let lines = text(&["audit", "log", "--action", "join_token.", "-o", "jsonl"]).await?;
    let read: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(read.len() == 4, "{lines}");
    Ok(())
}
