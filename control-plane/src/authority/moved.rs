//! The folder in which an older program kept the authority in the clear. What is in it goes into the database, once; then the folder goes.

use super::credentials::Credentials;
use super::{AuthorityError, First};
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use prost::Message;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::{fs, io};
use zeroize::Zeroizing;

/// The folder, which need not be there.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is in it; none when there is no such folder.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub(super) fn read(&self) -> Result<Option<First>, AuthorityError> {
        if !self.path.join("ca.key").exists() {
            return Ok(None);
        }
        let certificate = self.certificate()?.ok_or_else(|| self.damaged("ca.crt"))?;
        let signed = fs::read(self.path.join("bundles").join("1")).ok();
        let signed = signed.and_then(|bytes| SignedTrustBundle::decode(bytes.as_slice()).ok());
        let signed = signed.ok_or_else(|| self.damaged("bundles/1"))?;
        Ok(Some(First { authority: (certificate, self.key("ca.key")?), bundle: (signed, self.key("bundle.key")?) }))
    }

    /// Removes the folder once what it holds is what the database has.
    ///
    /// # Errors
    /// It has an authority that the database never had, or it cannot be removed.
    pub(super) fn remove_if_taken(&self, credentials: &Credentials) -> Result<(), AuthorityError> {
        let Some(certificate) = self.certificate()? else { return Ok(()) };
        if !credentials.knows(&certificate) {
            return Err(AuthorityError::OtherAuthority { folder: self.path.clone() });
        }
        fs::remove_dir_all(&self.path).map_err(|source| AuthorityError::File { path: self.path.clone(), source })?;
        tracing::info!(folder = %self.path.display(), "the authority's keys are in the database now, sealed; the folder is gone");
        Ok(())
    }

    fn certificate(&self) -> Result<Option<CertificateDer<'static>>, AuthorityError> {
        let path = self.path.join("ca.crt");
        match fs::read(&path) {
            Ok(pem) => CertificateDer::from_pem_slice(&pem).map(Some).map_err(|_error| self.damaged("ca.crt")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(AuthorityError::File { path, source }),
        }
    }

    fn key(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
        let path = self.path.join(name);
        let pem = Zeroizing::new(fs::read(&path).map_err(|source| AuthorityError::File { path, source })?);
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_error| self.damaged(name))?;
        Ok(Zeroizing::new(key.secret_der().to_vec()))
    }

    fn damaged(&self, name: &str) -> AuthorityError {
        AuthorityError::Damaged { what: self.path.join(name).display().to_string() }
    }
}
