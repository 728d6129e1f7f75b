//! `fleetctl enrollment`.

use super::device::parse_name;
use super::pair::{LabelPair, parse_pair};
use super::{ListArguments, Output};
use clap::{Args, Subcommand};
use kaliun_types::name::DeviceName;

/// Boxes that came with a join token and wait for a yes.
#[derive(Debug, Subcommand)]
pub(crate) enum EnrollmentCommand {
    /// List them, the oldest first.
    List(ListArguments),
    /// Take a box in, after showing what it says of itself.
    Approve(EnrollmentApprove),
    /// Turn a box away; it is told.
    Deny(EnrollmentDeny),
}

/// Take a box in.
#[derive(Debug, Args)]
pub(crate) struct EnrollmentApprove {
    /// The box, by id or by the name it will have, from `fleetctl enrollment list`.
    #[arg(value_name = "ID", value_parser = parse_enrollment)]
    pub(crate) enrollment: String,
    /// The home it will serve, by name or id.
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) installation: Option<String>,
    /// Another name for it than its token makes.
    #[arg(long, value_parser = parse_name)]
    pub(crate) name: Option<DeviceName>,
    /// A label for it besides those of its token, KEY=VALUE; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) labels: Vec<LabelPair>,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Turn a box away.
#[derive(Debug, Args)]
pub(crate) struct EnrollmentDeny {
    /// The box, by id or by the name it would have, from `fleetctl enrollment list`.
    #[arg(value_name = "ID", value_parser = parse_enrollment)]
    pub(crate) enrollment: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// With or without `enrollment/` before it.
fn parse_enrollment(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("enrollment/").unwrap_or(text);
    if name.is_empty() || name.contains('/') {
        return Err("expected an id or a name from `fleetctl enrollment list`".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrollment_may_stand_alone_or_with_its_noun() {
        assert_eq!(parse_enrollment("shop-1").as_deref(), Ok("shop-1"));
        assert_eq!(parse_enrollment("enrollment/shop-1").as_deref(), Ok("shop-1"));
        for text in ["", "enrollment/", "device/shop-1"] {
            assert!(parse_enrollment(text).is_err(), "{text:?}");
        }
    }
}
