//! `fleetctl claim`.

use super::Output;
use super::device::parse_name;
use super::pair::{LabelPair, parse_pair};
use clap::{Args, Subcommand};
use kaliun_types::name::DeviceName;

/// Take in or turn away a box that shows a code.
#[derive(Debug, Subcommand)]
pub(crate) enum ClaimCommand {
    /// Take the box into the organization, after showing what it says of itself.
    Approve(ClaimApprove),
    /// Turn the box away; it is told.
    Deny(ClaimDeny),
}

/// Take the box into the organization.
#[derive(Debug, Args)]
pub(crate) struct ClaimApprove {
    /// The code on the box's screen; case, spaces and hyphens do not matter.
    #[arg(value_parser = parse_code)]
    pub(crate) code: String,
    /// The home it will serve, by name or id.
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) installation: Option<String>,
    /// A name for it; made from its host name when left out.
    #[arg(long, value_parser = parse_name)]
    pub(crate) name: Option<DeviceName>,
    /// A label for it, KEY=VALUE; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) labels: Vec<LabelPair>,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Turn the box away.
#[derive(Debug, Args)]
pub(crate) struct ClaimDeny {
    /// The code on the box's screen.
    #[arg(value_parser = parse_code)]
    pub(crate) code: String,
}

/// A code has eight characters; the server knows which ones are in use.
fn parse_code(text: &str) -> Result<String, String> {
    let code: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if code.chars().count() == 8 && code.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(code.to_ascii_uppercase());
    }
    Err("a code has eight letters and digits, as on the box's screen".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_write_them() {
        assert_eq!(parse_code("ab3d-efgh").as_deref(), Ok("AB3DEFGH"));
        assert_eq!(parse_code("AB3D EFGH").as_deref(), Ok("AB3DEFGH"));
        for text in ["", "AB3D", "AB3DEFGHI", "AB3D_FGH"] {
            assert!(parse_code(text).is_err(), "{text:?}");
        }
    }
}
