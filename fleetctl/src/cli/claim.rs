//! `fleetctl claim`.

use super::Output;
use super::device::parse_name;
use super::pair::{LabelPair, parse_pair};
use clap::{Args, Subcommand};
use kaliun_types::claim_check::CheckCharacters;
use kaliun_types::name::DeviceName;

/// Take in or turn away a box that shows a code.
#[derive(Debug, Subcommand)]
pub(crate) enum ClaimCommand {
    /// Show what the box says of itself. Its screen shows its check characters from then on.
    Show(ClaimShow),
    /// Take the box into the organization, after showing what it says of itself.
    Approve(ClaimApprove),
    /// Turn the box away; it is told.
    Deny(ClaimDeny),
}

/// Show what the box says of itself.
#[derive(Debug, Args)]
pub(crate) struct ClaimShow {
    /// The code on the box's screen; case, spaces and hyphens do not matter.
    #[arg(value_parser = parse_code)]
    pub(crate) code: String,
    #[command(flatten)]
    pub(crate) output: Output,
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
    /// The four check characters that the box's screen shows since the code was looked up; asked for when left out.
    #[arg(long, value_name = "XXXX", value_parser = parse_check)]
    pub(crate) check: Option<CheckCharacters>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Turn the box away.
#[derive(Debug, Args)]
pub(crate) struct ClaimDeny {
    /// The code on the box's screen.
    #[arg(value_parser = parse_code)]
    pub(crate) code: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A code has eight characters; the server knows which ones are in use.
fn parse_code(text: &str) -> Result<String, String> {
    let code: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if code.chars().count() == 8 && code.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(code.to_ascii_uppercase());
    }
    Err("a code has eight letters and digits, as on the box's screen".to_owned())
}

/// Four characters of those that codes are made of.
pub(crate) fn parse_check(text: &str) -> Result<CheckCharacters, String> {
    CheckCharacters::parse(text)
        .ok_or_else(|| "check characters are four letters and digits, as on the box's screen, such as K7M4".to_owned())
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
        assert_eq!(parse_check("k7 m4").map(|check| check.as_str().to_owned()).as_deref(), Ok("K7M4"));
        assert!(parse_check("K7M0").is_err());
    }
}
