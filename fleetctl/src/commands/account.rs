//! `fleetctl account`.

use crate::Program;
use crate::cli::{AccountCommand, AccountExport, Format, Global};
use crate::client::Client;
use crate::failure::{Failure, Kind};
use crate::output::{print_document, print_done, print_one};
use crate::view::account::{Account, ExportedAccount};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: AccountCommand) -> Result<(), Failure> {
    let client = Client::open_personal(program, global).await?;
    match command {
        AccountCommand::Show(output) => {
            let account = own(&client).await?;
            print_one(program, output.output, account)
        }
        AccountCommand::Rename { new_name, output } => {
            client.account_rename(new_name).await?;
            let account = own(&client).await?;
            print_one(program, output.output, account)
        }
        AccountCommand::Export(arguments) => export(program, &client, arguments).await,
    }
}

/// The caller's account. API tokens have none.
async fn own(client: &Client) -> Result<Account, Failure> {
    let identity = client.identity().await?;
    if identity.account_id.is_empty() {
        return Err(Failure::new(
            Kind::Denied,
            format!("the API token {:?} has no account", identity.api_token_name),
            "sign in as a person with `fleetctl login`",
        ));
    }
    Ok(Account::from(identity))
}

async fn export(program: &mut Program, client: &Client, arguments: AccountExport) -> Result<(), Failure> {
    let json = client.account_export().await?;
    let format = arguments.output.output;
    if let Some(path) = &arguments.out {
        write_new(path, &json)?;
        let file = path.display().to_string();
        program.console.talk(&format!("Wrote {file}."));
        return print_done(program, format, &ExportedAccount { file: file.clone(), size_bytes: json.len() }, &file);
    }
    let document: serde_json::Value = serde_json::from_slice(&json).map_err(|error| {
        Failure::new(
            Kind::General,
            format!("the server's answer is no JSON: {error}"),
            "keep it as it is with --out FILE, and report this",
        )
    })?;
    match format {
        Format::Yaml => print_document(program, Format::Yaml, &document),
        // It is a document in every other form: no table shows all of it.
        Format::Json | Format::Table | Format::Wide | Format::Name => print_document(program, Format::Json, &document),
    }
}

/// Writes a file that nobody else can read, and none that is there.
fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(|error| {
            Failure::usage(
                format!("cannot write {}: {error}", path.display()),
                "name a file that does not exist, in a folder that you may write to",
            )
        })
}
