//! Signing in on a machine without a browser: the OAuth 2.0 Device Authorization Grant, RFC 8628.

use super::pace::Pace;
use crate::Program;
use crate::client::Client;
use crate::failure::{Failure, Kind};
use crate::output::text::clean;
use crate::output::time;
use crate::settings::Settings;
use kaliun_proto::fleet::v1::{LoginState, LoginTokens, StartLoginResponse};
use kaliun_types::secret::SecretText;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::time::Duration;
use tokio::time::Instant;

/// Longest text that says which machine asks: the contract's bound.
const CLIENT_MAX_CHARACTERS: usize = 200;
/// Longest that a code is waited for, whatever the server says of it.
const CODE_LONGEST_SECONDS: u32 = 3_600;

/// Shows a code and waits until a person has confirmed it in a browser. Ctrl-C ends the wait.
pub(super) async fn confirmed(program: &mut Program, settings: &Settings, qr: bool) -> Result<LoginTokens, Failure> {
    let client = Client::connect(program, settings).await?;
    let started = client.login_start(client_text()).await?;
    for line in introduction(&started, qr) {
        program.console.talk(&line);
    }
    let interrupted = tokio::select! {
        tokens = wait(program, &client, &started) => return tokens,
        interrupted = tokio::signal::ctrl_c() => interrupted,
    };
    interrupted.map_err(|error| {
        Failure::new(Kind::General, format!("cannot listen for Ctrl-C: {error}"), "run `fleetctl login` again")
    })?;
    if program.console.can_ask {
        // The terminal has written ^C, and stays on that line.
        program.console.talk("");
    }
    Err(Failure::new(
        Kind::Interrupted,
        "given up before anybody was signed in",
        "run `fleetctl login` again; the code that was shown is of no use any more",
    ))
}

/// Asks, at the pace that the server sets, until there is a decision or the code has run out.
async fn wait(program: &mut Program, client: &Client, started: &StartLoginResponse) -> Result<LoginTokens, Failure> {
    let device_code = SecretText::new(started.device_code.clone());
    let mut pace = Pace::new(started.interval_seconds);
    let good_for = program.second.saturating_mul(started.expires_in_seconds.min(CODE_LONGEST_SECONDS));
    // One question more than the code lives: the server says best that it has run out.
    let deadline = Instant::now() + good_for + pace.wait(program.second);
    let mut in_trouble = false;
    loop {
        tokio::time::sleep(pace.wait(program.second)).await;
        if Instant::now() > deadline {
            return Err(expired());
        }
        let answer = match client.login_poll(&device_code).await {
            Ok(answer) => answer,
            Err(failure) if matches!(failure.kind, Kind::General | Kind::Timeout) => {
                if !std::mem::replace(&mut in_trouble, true) {
                    program.console.talk(&format!("warning: {}; still trying", failure.message));
                }
                pace.unanswered();
                continue;
            }
            Err(failure) => return Err(failure),
        };
        match answer.state() {
            LoginState::Pending => pace.pending(answer.interval_seconds),
            LoginState::SlowDown => pace.slow_down(answer.interval_seconds),
            LoginState::Approved => {
                return answer.tokens.ok_or_else(|| unfit("the server says yes and sends no tokens"));
            }
            LoginState::Denied => {
                return Err(Failure::new(
                    Kind::Denied,
                    "somebody said no in the browser",
                    "run `fleetctl login` again and compare the codes before you confirm",
                ));
            }
            LoginState::Expired => return Err(expired()),
            LoginState::Unspecified => return Err(unfit("the server does not say where the login is")),
        }
    }
}

fn expired() -> Failure {
    Failure::new(
        Kind::Timeout,
        "the code has run out before anybody confirmed it",
        "run `fleetctl login` again for a new one",
    )
}

fn unfit(message: &str) -> Failure {
    Failure::new(Kind::General, message, "compare the versions with `fleetctl version`")
}

/// What the person is to do. The server's words are shown, so they must not drive the terminal.
fn introduction(started: &StartLoginResponse, qr: bool) -> Vec<String> {
    let mut lines = vec![
        "Open this address in a browser, on this machine or another:".to_owned(),
        String::new(),
        format!("    {}", clean(&started.verification_uri_complete)),
        String::new(),
    ];
    if qr && let Ok(code) = QrCode::new(started.verification_uri_complete.as_bytes()) {
        lines.push(code.render::<Dense1x2>().quiet_zone(true).build());
        lines.push(String::new());
    }
    let good_for = time::duration(
        Duration::from_secs(started.expires_in_seconds.into()).as_millis().try_into().unwrap_or(i64::MAX),
    );
    lines.extend([
        format!("or enter this code at {}", clean(&started.verification_uri)),
        String::new(),
        format!("    {}", clean(&started.user_code)),
        String::new(),
        "Confirm there only if it shows this same code.".to_owned(),
        format!("Waiting for you; the code is good for {good_for}. Ctrl-C gives up."),
    ]);
    lines
}

/// What the machine says of itself.
fn client_text() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = if name.is_empty() { "a machine without a name".to_owned() } else { name };
    format!("fleetctl on {}", clean(&name)).chars().take(CLIENT_MAX_CHARACTERS).collect()
}
