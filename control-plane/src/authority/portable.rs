//! The authorities and bundles with their keys, on the way from one database to another.

use super::signer::{MemorySigner, Signer};
use super::{AuthorityError, KeyFile, authority_purpose, bundle, bundle_purpose, credentials};
use kaliun_domain::rotation::{Phase, Rotation, Steering};
use kaliun_proto::enrollment::v1::TrustBundle;
use kaliun_store::{AuthorityRow, AuthorityRows, TrustBundleRow};
use prost::Message;
use std::time::{Duration, SystemTime};
use zeroize::{Zeroize, Zeroizing};

/// What the file is called inside.
pub(crate) const AUTHORITIES: &str = "authorities";

/// All of it, as it is written. Fields are added, never renumbered: such files are kept for years.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct Portable {
    #[prost(message, repeated, tag = "1")]
    authorities: Vec<PortableAuthority>,
    #[prost(message, repeated, tag = "2")]
    bundles: Vec<PortableBundle>,
    /// As in the database.
    #[prost(int32, tag = "3")]
    phase: i32,
    #[prost(int32, tag = "4")]
    current: i32,
    /// 0 for none.
    #[prost(int32, tag = "5")]
    next: i32,
    /// Of a rotation that goes by itself; else 0.
    #[prost(uint64, tag = "6")]
    grace_seconds: u64,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct PortableAuthority {
    #[prost(int32, tag = "1")]
    number: i32,
    #[prost(bytes = "vec", tag = "2")]
    certificate: Vec<u8>,
    /// PKCS#8; empty, or of no use, when it is retired.
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(bool, tag = "4")]
    is_retired: bool,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct PortableBundle {
    #[prost(int64, tag = "1")]
    version: i64,
    #[prost(bytes = "vec", tag = "2")]
    bundle: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    /// PKCS#8; empty when it is kept elsewhere or not needed any more.
    #[prost(bytes = "vec", tag = "4")]
    key: Vec<u8>,
}

/// Keys are in it: none of them is shown.
macro_rules! secret {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })*
    };
}
secret!(Portable, PortableAuthority, PortableBundle);

impl Drop for Portable {
    fn drop(&mut self) {
        self.authorities.iter_mut().for_each(|authority| authority.key.zeroize());
        self.bundles.iter_mut().for_each(|bundle| bundle.key.zeroize());
    }
}

impl Portable {
    /// Opens all keys of a database.
    ///
    /// # Errors
    /// The key file is another one.
    pub(crate) fn unseal(rows: &AuthorityRows, keys: &KeyFile) -> Result<Self, AuthorityError> {
        let mut portable = Self {
            authorities: Vec::new(),
            bundles: Vec::new(),
            phase: rows.rotation.phase().number().into(),
            current: rows.rotation.current(),
            next: rows.rotation.next().unwrap_or_default(),
            grace_seconds: rows.steering.grace.map_or(0, |grace| grace.as_secs()),
        };
        for row in &rows.authorities {
            let key = match &row.sealed_key {
                Some(sealed) => std::mem::take(&mut *keys.unseal(&authority_purpose(row.number), sealed)?),
                None => Vec::new(),
            };
            let (certificate, is_retired) = (row.certificate.clone(), row.is_retired);
            portable.authorities.push(PortableAuthority { number: row.number, certificate, key, is_retired });
        }
        for row in &rows.bundles {
            let key = match &row.sealed_key {
                Some(sealed) => std::mem::take(&mut *keys.unseal(&bundle_purpose(row.version), sealed)?),
                None => Vec::new(),
            };
            let (bundle, signature) = (row.bundle.clone(), row.signature.clone());
            portable.bundles.push(PortableBundle { version: row.version, bundle, signature, key });
        }
        Ok(portable)
    }

    /// Seals all keys for a database. What comes out is what [`Self::unseal`] was given, but for what a pause was about.
    ///
    /// # Errors
    /// The library refused, or the state is none.
    pub(crate) fn seal(&self, keys: &KeyFile, revision: i64, now: SystemTime) -> Result<AuthorityRows, AuthorityError> {
        let phase = i16::try_from(self.phase).ok().and_then(Phase::from_number);
        let rotation =
            phase.and_then(|phase| Rotation::new(phase, self.current, Some(self.next).filter(|next| *next > 0)));
        let rotation =
            rotation.ok_or_else(|| AuthorityError::Damaged { what: "the state of the rotation".to_owned() })?;
        let grace = Some(self.grace_seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let authorities = self.authorities.iter().map(|authority| {
            let purpose = authority_purpose(authority.number);
            // Files of older programs hold the keys of retired ones, too.
            let sealed_key = if authority.is_retired { None } else { Some(keys.seal(&purpose, &authority.key)?) };
            Ok(AuthorityRow {
                number: authority.number,
                certificate: authority.certificate.clone(),
                sealed_key,
                is_retired: authority.is_retired,
            })
        });
        let bundles = self.bundles.iter().map(|bundle| {
            let sealed_key = if bundle.key.is_empty() {
                None
            } else {
                Some(keys.seal(&bundle_purpose(bundle.version), &bundle.key)?)
            };
            let (content, signature) = (bundle.bundle.clone(), bundle.signature.clone());
            Ok(TrustBundleRow { version: bundle.version, bundle: content, signature, sealed_key })
        });
        Ok(AuthorityRows {
            revision,
            rotation,
            steering: Steering { grace, phase_since: now, waits_since: now, pause: None },
            authorities: authorities.collect::<Result<_, AuthorityError>>()?,
            bundles: bundles.collect::<Result<_, AuthorityError>>()?,
        })
    }

    /// As it is written.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.encode_to_vec())
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, AuthorityError> {
        <Self as Message>::decode(bytes).map_err(|_error| AuthorityError::Damaged { what: AUTHORITIES.to_owned() })
    }
}

/// Looks at everything once, before it goes into a database that many will rely on: each key is the one of its certificate, and each
/// bundle follows from the one before it.
///
/// # Errors
/// The first thing that does not fit.
pub(crate) fn check(rows: &AuthorityRows, keys: &KeyFile) -> Result<(), AuthorityError> {
    let damaged = |what: String| AuthorityError::Damaged { what };
    for row in rows.authorities.iter().filter(|row| !row.is_retired) {
        credentials::open(row, keys)?;
    }
    let mut signer: Option<Vec<u8>> = None;
    for (version, row) in (1_i64..).zip(&rows.bundles) {
        let named = TrustBundle::decode(row.bundle.as_slice()).map_err(|_error| damaged(bundle_purpose(version)))?;
        let follows = row.version == version
            && named.version == version.unsigned_abs()
            && bundle::verify(signer.as_ref().unwrap_or(&named.bundle_key), &row.bundle, &row.signature);
        if !follows {
            return Err(damaged(format!("trust bundle {version}")));
        }
        if let Some(sealed) = &row.sealed_key {
            let key = MemorySigner::new(&keys.unseal(&bundle_purpose(version), sealed)?)?;
            if key.public_key() != named.bundle_key {
                return Err(damaged(bundle_purpose(version)));
            }
        }
        signer = Some(named.bundle_key);
    }
    Ok(())
}
