//! The program `openssl`, as the judge of certificates that we did not write.

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use rustls::pki_types::CertificateDer;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a certificate is shown for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// Nothing in particular.
    Any,
    /// To prove who a box is.
    Client,
    /// To prove who the server of this name is.
    Server(&'a str),
}

/// `openssl verify` with its strict rules.
pub(super) struct OpenSsl {
    folder: PathBuf,
}

impl OpenSsl {
    /// Where it may put files.
    ///
    /// # Errors
    /// The program is not there; `cargo xtask test` installs it.
    pub(super) fn in_folder(folder: &Path) -> Result<Self> {
        let version = Command::new("openssl").arg("version").output();
        ensure!(version.context("openssl: `cargo xtask test` installs it")?.status.success(), "openssl does not work");
        Ok(Self { folder: folder.to_owned() })
    }

    /// The certificate is good for the purpose, with this authority as the only one that is trusted.
    pub(super) fn takes(
        &self,
        certificate: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        purpose: Purpose<'_>,
    ) -> Result<()> {
        self.takes_at(certificate, root, purpose, SystemTime::now())
    }

    /// It is good for the purpose at a time.
    pub(super) fn takes_at(
        &self,
        certificate: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        purpose: Purpose<'_>,
        at: SystemTime,
    ) -> Result<()> {
        let output = self.verify(certificate, root, purpose, at)?;
        ensure!(output.status.success(), "{purpose:?}: {}", words(&output));
        Ok(())
    }

    /// It is not.
    pub(super) fn refuses(
        &self,
        certificate: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        purpose: Purpose<'_>,
    ) -> Result<()> {
        self.refuses_at(certificate, root, purpose, SystemTime::now())
    }

    /// It is not good for the purpose at a time.
    pub(super) fn refuses_at(
        &self,
        certificate: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        purpose: Purpose<'_>,
        at: SystemTime,
    ) -> Result<()> {
        let output = self.verify(certificate, root, purpose, at)?;
        ensure!(!output.status.success(), "{purpose:?} was taken");
        // It read both and judged: no other failure counts as a refusal.
        ensure!(words(&output).contains("verification failed"), "{purpose:?}: {}", words(&output));
        Ok(())
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        root: &CertificateDer<'_>,
        purpose: Purpose<'_>,
        at: SystemTime,
    ) -> Result<Output> {
        let (shown, trusted) = (self.folder.join("shown.pem"), self.folder.join("trusted.pem"));
        fs::write(&shown, pem(certificate))?;
        fs::write(&trusted, pem(root))?;
        let mut command = Command::new("openssl");
        // Whatever the machine trusts does not count.
        command.args(["verify", "-x509_strict", "-check_ss_sig", "-no-CApath", "-no-CAstore", "-CAfile"]).arg(&trusted);
        command.arg("-attime").arg(at.duration_since(UNIX_EPOCH)?.as_secs().to_string());
        match purpose {
            Purpose::Any => {}
            Purpose::Client => drop(command.args(["-purpose", "sslclient"])),
            Purpose::Server(name) => drop(command.args(["-purpose", "sslserver", "-verify_hostname", name])),
        }
        Ok(command.arg(&shown).output()?)
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let base64 = BASE64.encode(certificate);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat()
}
