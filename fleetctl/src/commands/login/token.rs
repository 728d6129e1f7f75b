//! Where an API token is read from. Never from the command line, which others on the machine can see.

use crate::Program;
use crate::cli::Login;
use crate::failure::{Failure, Kind};
use kaliun_types::secret::SecretText;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest token read, bytes. Real ones have 48.
const TOKEN_MAX_BYTES: u64 = 4096;

/// Reads the token from where the arguments say.
pub(super) fn read(program: &mut Program, arguments: &Login) -> Result<SecretText, Failure> {
    if let Some(path) = &arguments.token_file {
        return of_file(path);
    }
    if arguments.token && program.console.can_ask {
        let hint = "type or paste it, or name its file with --token-file FILE";
        let typed = program.console.ask_secret("API token: ", hint)?;
        return checked(typed.trim(), "nothing was typed", hint);
    }
    let text = of(&mut program.console.input).map_err(|error| {
        Failure::new(Kind::General, format!("cannot read the token: {error}"), "pipe the token into fleetctl")
    })?;
    checked(
        text.trim(),
        "standard input holds no token",
        "pipe it in: `fleetctl login --server URL --token-stdin < FILE`",
    )
}

fn of_file(path: &Path) -> Result<SecretText, Failure> {
    let hint = "name a file that holds an API token and nothing else";
    let text = File::open(path)
        .and_then(of)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display()), hint))?;
    checked(text.trim(), &format!("{} holds no token", path.display()), hint)
}

fn of(input: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    input.take(TOKEN_MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn checked(token: &str, problem: &str, hint: &str) -> Result<SecretText, Failure> {
    if token.is_empty() { Err(Failure::usage(problem, hint)) } else { Ok(SecretText::new(token.to_owned())) }
}
