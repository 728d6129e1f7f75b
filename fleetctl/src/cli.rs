//! The command line: what can be typed, and nothing of what it does.

mod access;
mod account;
mod audit;
mod ca;
mod claim;
mod context;
mod device;
mod duration;
mod enrollment;
mod get;
mod installation;
mod list;
mod login;
mod moment;
mod org;
mod pair;
mod sign_up;
mod target;
mod token;

pub(crate) use access::{AccessApprove, AccessCommand, AccessDecided, AccessList, AccessRequest};
pub(crate) use account::{AccountCommand, AccountExport, SessionCommand, SessionRevoke};
pub(crate) use audit::{AuditCommand, AuditLog, AuditVerify, LogFormat};
pub(crate) use ca::{CaBundle, CaCommand, CaRotate, CaStart, CaStep};
pub(crate) use claim::{ClaimApprove, ClaimCommand, ClaimDeny, ClaimShow, parse_check};
pub(crate) use context::{ContextCommand, ContextSet};
pub(crate) use device::{
    Delete, Describe, DeviceCommand, DeviceDecommission, DeviceExtend, DeviceLabel, DeviceReadopt, DeviceRename,
    DeviceReplace, DeviceRevoke,
};
pub(crate) use enrollment::{EnrollmentApprove, EnrollmentCommand, EnrollmentDeny};
pub(crate) use get::{DeviceFilter, Get, LinkWord, MailStateWord};
pub(crate) use installation::{HomeRoleWord, InstallationCommand, PersonCommand, PersonOfHome};
pub(crate) use list::ListArguments;
pub(crate) use login::Login;
pub(crate) use org::{InvitationCommand, MemberCommand, OrgCommand, OrgCreate, OrgInvite};
pub(crate) use pair::LabelChange;
pub(crate) use sign_up::{SignUpApprove, SignUpCommand, SignUpDeny};
pub(crate) use target::Noun;
pub(crate) use token::{ApiTokenCommand, ApiTokenCreate, JoinTokenCommand, JoinTokenCreate, RoleWord};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Says after the help of the whole program what scripts need to know.
const AFTER_HELP: &str = "\
Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 denied, 5 conflict, 6 timeout, 7 partial failure, 8 found something wrong, 130 ended by Ctrl-C.
Environment: FLEETCTL_SERVER, FLEETCTL_TOKEN, FLEETCTL_ORGANIZATION (these win over the context), FLEETCTL_CONFIG, FLEETCTL_CA, NO_COLOR.";

/// Runs a fleet of Home Assistant boxes from the terminal.
#[derive(Debug, Parser)]
#[command(name = "fleetctl", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The context to use in place of the current one.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub(crate) context: Option<String>,
    /// The control plane's address: `http://HOST:PORT` or `https://HOST[:PORT]`.
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub(crate) server: Option<String>,
    /// The organization to act in, in place of the context's. API tokens have one of their own.
    #[arg(long, global = true, value_name = "NAME|ID", help_heading = "Global options")]
    pub(crate) organization: Option<String>,
    /// A PEM file with certificate authorities to trust in place of the machine's own.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) ca: Option<PathBuf>,
    /// Longest wait for one answer, for example 500ms, 10s, 2m.
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = duration::parse, help_heading = "Global options")]
    pub(crate) timeout: Duration,
    /// When to colour.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, help_heading = "Global options")]
    pub(crate) color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns that fit the terminal.
    Table,
    /// All columns, with absolute times.
    Wide,
    /// The documented contract for programs.
    Json,
    /// As JSON, written as YAML.
    Yaml,
    /// One NOUN/NAME a line.
    Name,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Form of the answer.
    #[arg(long, short, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    pub(crate) output: Format,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List devices, tokens, homes, events, sessions, sign-ups or mails.
    Get(Get),
    /// Show all about one device.
    Describe(Describe),
    /// Label or rename a device, take its rights away, or give its home to another.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Forget devices; their certificates are refused from then on.
    Delete(Delete),
    /// Look at, take in or turn away a box that shows a code.
    #[command(subcommand)]
    Claim(ClaimCommand),
    /// Boxes that came with a join token and wait for a yes.
    #[command(subcommand)]
    Enrollment(EnrollmentCommand),
    /// Tokens that boxes enrol with.
    #[command(subcommand)]
    JoinToken(JoinTokenCommand),
    /// Tokens that people and automation sign in with.
    #[command(subcommand)]
    ApiToken(ApiTokenCommand),
    /// The certificate authorities for devices, and the change from one to the next.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Who did what, whether the record of it holds, and what is wrong with the fleet.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Organizations: their people, and which one to act in.
    #[command(subcommand)]
    Org(OrgCommand),
    /// Homes, and who lives there.
    #[command(subcommand)]
    Installation(InstallationCommand),
    /// Support's way into a home, with its owner's consent and for a time.
    #[command(subcommand)]
    Access(AccessCommand),
    /// Your own account.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Where you are signed in.
    #[command(subcommand)]
    Session(SessionCommand),
    /// People who asked for an account of this server.
    #[command(subcommand)]
    SignUp(SignUpCommand),
    /// Sign in, by a code that you confirm in a browser or with an API token.
    ///
    /// A code is shown that you confirm in a browser where you are signed in, on this machine or another; with an API token, for automation, nobody is asked. The
    /// address comes from --server, the name of the context from --context (the server's host when left out); without both the current context is signed in anew.
    Login(Login),
    /// End the session, and forget it or the API token of a context.
    Logout(Output),
    /// Show who the server takes you for.
    Whoami(Output),
    /// The servers that fleetctl knows.
    #[command(subcommand)]
    Context(ContextCommand),
    /// Show the version of fleetctl and of the server.
    Version(Output),
    /// Write a completion script for a shell.
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    Man {
        /// The folder for them; made when absent.
        #[arg(long, value_name = "DIR")]
        out_dir: PathBuf,
    },
}

#[cfg(test)]
mod tests;
