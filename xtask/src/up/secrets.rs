//! The secrets of a fleet: made once, from the operating system's randomness.

use crate::up::folder::{StateFolder, write_private};
use crate::up::settings::Settings;
use anyhow::Context as _;
use data_encoding::BASE64URL_NOPAD;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Who the first administrator is.
pub(crate) const ADMIN_EMAIL: &str = "admin@fleet.localhost";

/// Bytes of an API token's secret part, as the control plane wants it.
const API_TOKEN_BYTES: usize = 32;

/// Letters and digits that cannot be taken for one another: 32 of them, five bits each.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters of the password: 100 bits.
const PASSWORD_LENGTH: usize = 20;

/// The secrets the control plane is first started with.
#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) admin_password: String,
    pub(crate) api_token: String,
}

impl Secrets {
    /// Reads them, making what is not there yet.
    pub(crate) fn read_or_make(folder: &StateFolder) -> anyhow::Result<Self> {
        Ok(Self {
            admin_password: read_or_make(&password_file(folder), make_password)?,
            api_token: read_or_make(&api_token_file(folder), make_api_token)?,
        })
    }

    /// Writes the file a shell reads to speak to this fleet.
    pub(crate) fn write_env(&self, folder: &StateFolder, settings: &Settings) -> anyhow::Result<()> {
        let mut text = format!(
            "FLEETCTL_SERVER={}\nFLEETCTL_TOKEN={}\nFLEET_ADMIN_EMAIL={ADMIN_EMAIL}\nFLEET_ADMIN_PASSWORD={}\n",
            settings.public_url(),
            self.api_token,
            self.admin_password,
        );
        if settings.has_tls() {
            let authority = folder.path("tls/ca.pem");
            text.push_str(&format!("FLEETCTL_CA={}\n", quote(&authority.display().to_string())));
        }
        write_private(&folder.path("env"), &text)
    }
}

pub(crate) fn password_file(folder: &StateFolder) -> PathBuf {
    folder.path("secrets/admin-password")
}

pub(crate) fn api_token_file(folder: &StateFolder) -> PathBuf {
    folder.path("secrets/api-token")
}

pub(crate) fn join_token_file(folder: &StateFolder) -> PathBuf {
    folder.path("secrets/join-token")
}

/// A text as one word for a shell; plain ones stay as they are.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn read_or_make(path: &Path, make: fn() -> anyhow::Result<String>) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = make()?;
            write_private(path, &format!("{secret}\n"))?;
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn make_password() -> anyhow::Result<String> {
    let letters = random::<PASSWORD_LENGTH>()?.map(|byte| PASSWORD_LETTERS.get(usize::from(byte % 32)).copied());
    Ok(letters.into_iter().flatten().map(char::from).collect())
}

fn make_api_token() -> anyhow::Result<String> {
    Ok(format!("kat1.{}", BASE64URL_NOPAD.encode(&random::<API_TOKEN_BYTES>()?)))
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut source = std::fs::File::open("/dev/urandom").context("the machine has no source of randomness")?;
    source.read_exact(&mut bytes).context("the machine's source of randomness failed")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_form_and_differ() {
        let (first, second) = (make_api_token().unwrap(), make_api_token().unwrap());
        assert_ne!(first, second);
        assert_eq!(first.len(), "kat1.".len() + 43);
        assert_eq!(make_password().unwrap().len(), PASSWORD_LENGTH);
        assert_ne!(make_password().unwrap(), make_password().unwrap());
    }

    #[test]
    fn odd_paths_are_quoted() {
        assert_eq!(quote("/a/b-c.pem"), "/a/b-c.pem");
        assert_eq!(quote("/it's here"), r"'/it'\''s here'");
    }
}
