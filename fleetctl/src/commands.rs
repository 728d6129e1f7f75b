//! What each command does: one file per noun.

mod access;
mod account;
mod api_token;
mod audit;
mod ca;
mod claim;
mod context;
mod describe;
mod device;
mod enrollment;
mod generate;
pub(super) mod get;
mod installation;
mod join_token;
mod lifecycle;
mod login;
mod logout;
mod org;
mod role;
mod session;
mod sign_up;
mod version;
mod whoami;

use crate::Program;
use crate::cli::{Cli, Command};
use crate::failure::Failure;

/// Runs one command.
pub(crate) async fn run(cli: Cli, program: &mut Program) -> Result<(), Failure> {
    let global = cli.global;
    match cli.command {
        Command::Get(arguments) => get::run(program, &global, arguments).await,
        Command::Describe(arguments) => describe::run(program, &global, arguments).await,
        Command::Device(command) => device::run(program, &global, command).await,
        Command::Delete(arguments) => device::delete(program, &global, arguments).await,
        Command::Claim(command) => claim::run(program, &global, command).await,
        Command::Enrollment(command) => enrollment::run(program, &global, command).await,
        Command::JoinToken(command) => join_token::run(program, &global, command).await,
        Command::ApiToken(command) => api_token::run(program, &global, command).await,
        Command::Ca(command) => ca::run(program, &global, command).await,
        Command::Audit(command) => audit::run(program, &global, command).await,
        Command::Org(command) => org::run(program, &global, command).await,
        Command::Installation(command) => installation::run(program, &global, command).await,
        Command::Access(command) => access::run(program, &global, command).await,
        Command::Account(command) => account::run(program, &global, command).await,
        Command::Session(command) => session::run(program, &global, command).await,
        Command::SignUp(command) => sign_up::run(program, &global, command).await,
        Command::Login(arguments) => login::login(program, &global, arguments).await,
        Command::Logout(output) => logout::logout(program, &global, output).await,
        Command::Whoami(output) => whoami::whoami(program, &global, output).await,
        Command::Context(command) => context::run(program, &global, command),
        Command::Version(output) => version::run(program, &global, output).await,
        Command::Completion { shell } => generate::completion(program, shell),
        Command::Man { out_dir } => generate::man(program, &out_dir),
    }
}
