//! The rules of linters for certificates (RFC 5280, RFC 5480, and what zlint and certlint look at), as far as they are about
//! certificates of an authority of one's own.

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256, OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME, OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, Oid,
};
use x509_parser::prelude::{FromDer, X509Version};

const DAY: i64 = 24 * 3_600;
/// Octets of a serial number at most (RFC 5280, section 4.1.2.2).
const SERIAL_MAX_OCTETS: usize = 20;
/// Bits of a serial number that nobody can foretell, at least. Of 16 octets two bits are always the same; how the others are
/// spread is shown where serial numbers are made.
const SERIAL_MIN_OCTETS: usize = 9;

/// What a certificate is to be.
pub(super) enum Kind<'a> {
    /// An authority for boxes.
    Authority {
        /// Which one.
        number: u32,
    },
    /// That of a box.
    Device {
        /// Its device's id.
        id: &'a str,
    },
    /// That of the device listener.
    Server {
        /// A name that it must be good for.
        name: &'a str,
        /// Now, by the server's clock.
        now: SystemTime,
    },
}

/// A certificate that is looked at, and the one that made it.
pub(super) struct Linted<'a> {
    certificate: X509Certificate<'a>,
    issuer: X509Certificate<'a>,
}

impl<'a> Linted<'a> {
    /// Reads both; nothing may follow after them.
    pub(super) fn read(certificate: &'a CertificateDer<'_>, issuer: &'a CertificateDer<'_>) -> Result<Self> {
        let read = |der: &'a [u8]| -> Result<X509Certificate<'a>> {
            let (rest, certificate) = X509Certificate::from_der(der)?;
            ensure!(rest.is_empty(), "{} octets after the certificate", rest.len());
            Ok(certificate)
        };
        Ok(Self { certificate: read(certificate)?, issuer: read(issuer)? })
    }

    /// Applies all rules. Serial numbers are gathered, for none may be there twice.
    pub(super) fn check(&self, kind: &Kind<'_>, serials: &mut BTreeSet<Vec<u8>>) -> Result<()> {
        self.serial(serials).context("serial number")?;
        self.algorithms().context("algorithms")?;
        self.names(kind).context("names")?;
        self.lifetime(kind).context("lifetime")?;
        self.extensions(kind).context("extensions")?;
        self.key_identifiers().context("key identifiers")?;
        self.constraints(kind).context("basic constraints")?;
        self.usages(kind).context("usages")?;
        self.alternative_names(kind).context("subject alternative names")
    }

    fn serial(&self, serials: &mut BTreeSet<Vec<u8>>) -> Result<()> {
        let octets = self.certificate.raw_serial();
        ensure!((SERIAL_MIN_OCTETS..=SERIAL_MAX_OCTETS).contains(&octets.len()), "{} octets", octets.len());
        let [first, second, ..] = octets else { anyhow::bail!("too short") };
        ensure!(first & 0x80 == 0, "negative");
        ensure!(*first != 0 || second & 0x80 != 0, "not the shortest form");
        ensure!(serials.insert(octets.to_vec()), "there twice");
        Ok(())
    }

    fn algorithms(&self) -> Result<()> {
        let certificate = &self.certificate;
        ensure!(certificate.version() == X509Version::V3, "{:?}", certificate.version());
        for algorithm in [&certificate.signature_algorithm, &certificate.tbs_certificate.signature] {
            ensure!(*algorithm.oid() == OID_SIG_ECDSA_WITH_SHA256, "signed by {}", algorithm.oid());
            // RFC 5758, section 3.2: left out, not NULL.
            ensure!(algorithm.parameters().is_none(), "the signature's algorithm has parameters");
        }
        let key = certificate.public_key();
        ensure!(*key.algorithm.oid() == OID_KEY_TYPE_EC_PUBLIC_KEY, "a key of {}", key.algorithm.oid());
        let curve = key.algorithm.parameters().context("a curve")?.as_oid()?;
        ensure!(curve == OID_EC_P256, "a key on {curve}");
        ensure!(
            matches!(key.subject_public_key.data.as_ref(), [4, ..] if key.subject_public_key.data.len() == 65),
            "no plain point"
        );
        ensure!(
            certificate.tbs_certificate.issuer_uid.is_none() && certificate.tbs_certificate.subject_uid.is_none(),
            "unique ids"
        );
        certificate.verify_signature(Some(self.issuer.public_key())).context("the signature does not fit")
    }

    fn names(&self, kind: &Kind<'_>) -> Result<()> {
        ensure!(
            self.certificate.issuer().as_raw() == self.issuer.subject().as_raw(),
            "the issuer's name, octet by octet"
        );
        let mut names = self.certificate.subject().iter_common_name();
        let name = names.next().context("a common name")?.as_str()?;
        // A box's says whose it is, too, by an organization's id.
        let mut organizations = self.certificate.subject().iter_organization();
        let organization = organizations.next().map(|name| name.as_str()).transpose()?;
        let is_device = matches!(kind, Kind::Device { .. });
        ensure!(
            organization.is_some() == is_device,
            "an organization in a box's certificate and no other: {organization:?}"
        );
        let is_id = organization.is_none_or(|id| id.parse::<kaliun_types::id::OrganizationId>().is_ok());
        ensure!(is_id, "{organization:?} is none's id");
        let attributes = 1 + usize::from(is_device);
        ensure!(
            names.next().is_none() && self.certificate.subject().iter().count() == attributes,
            "these names and nothing else"
        );
        ensure!(name.chars().count() <= 64, "ub-common-name is 64");
        let expected = match kind {
            Kind::Authority { number } => format!("Kaliun Fleet device authority {number}"),
            Kind::Device { id } => (*id).to_owned(),
            Kind::Server { .. } => "Kaliun Fleet device listener".to_owned(),
        };
        ensure!(name == expected, "{name}, not {expected}");
        Ok(())
    }

    fn lifetime(&self, kind: &Kind<'_>) -> Result<()> {
        let validity = self.certificate.validity();
        ensure!(validity.is_valid(), "not valid now");
        let (from, until) = (validity.not_before, validity.not_after);
        // RFC 5280, section 4.1.2.5: until 2049 with two digits of the year, afterwards with four.
        for time in [from, until] {
            ensure!(time.is_utctime() == (time.to_datetime().year() < 2050), "{time} is written in the other way");
        }
        let issuer = self.issuer.validity();
        ensure!(until <= issuer.not_after, "outlives its authority");
        let seconds =
            |time: SystemTime| -> Result<i64> { Ok(i64::try_from(time.duration_since(UNIX_EPOCH)?.as_secs())?) };
        let days = match kind {
            Kind::Authority { .. } => 3_650,
            Kind::Device { .. } => 30,
            Kind::Server { now, .. } => {
                // With its authority, so that a box whose clock stands believes the server that tells it the time. How long it lasts
                // says nothing then; that it is made once a day and ends 90 days after that does.
                ensure!(from == issuer.not_before, "begins at {from}, and not with its authority");
                let left = until.timestamp() - seconds(*now)?;
                ensure!((89 * DAY..=90 * DAY).contains(&left), "ends in {left} s");
                return Ok(());
            }
        };
        // An hour for boxes whose clock is behind, and no more: what begins earlier was valid before it was made.
        let behind = seconds(SystemTime::now())? - from.timestamp();
        ensure!((3_600..3_600 + 300).contains(&behind), "begins {behind} s ago");
        let lasts = until.timestamp() - from.timestamp();
        ensure!((days * DAY..=days * DAY + 3_600).contains(&lasts), "{lasts} s");
        Ok(())
    }

    fn extensions(&self, kind: &Kind<'_>) -> Result<()> {
        let mut seen = BTreeSet::new();
        for extension in self.certificate.extensions() {
            ensure!(seen.insert(extension.oid.to_id_string()), "{} twice", extension.oid);
            let (parsed, error) = (
                extension.parsed_extension(),
                matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. }),
            );
            ensure!(!error && !parsed.unsupported(), "{} cannot be read", extension.oid);
        }
        let critical = |oid: &Oid<'_>| -> Option<bool> {
            self.certificate.extensions().iter().find(|one| one.oid == *oid).map(|one| one.critical)
        };
        let is_authority = matches!(kind, Kind::Authority { .. });
        for (oid, expected) in [
            (&OID_X509_EXT_BASIC_CONSTRAINTS, Some(true)),
            (&OID_X509_EXT_KEY_USAGE, Some(true)),
            (&OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, Some(false)),
            (&OID_X509_EXT_EXTENDED_KEY_USAGE, (!is_authority).then_some(false)),
            (&OID_X509_EXT_SUBJECT_ALT_NAME, (!is_authority).then_some(false)),
            (&OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, Some(false)),
        ] {
            ensure!(critical(oid) == expected, "{oid}: critical is {:?}, not {expected:?}", critical(oid));
        }
        ensure!(seen.len() == if is_authority { 4 } else { 6 }, "others too: {seen:?}");
        Ok(())
    }

    fn key_identifiers(&self) -> Result<()> {
        let own = subject_key_identifier(&self.certificate)?;
        // RFC 5280, section 4.2.1.2, or RFC 7093: a digest of the key, so that no two keys have one.
        let key = self.certificate.public_key().subject_public_key.data.as_ref();
        let long = digest(&SHA256, key);
        let whole = digest(&SHA256, self.certificate.public_key().raw);
        let short = digest(&SHA1_FOR_LEGACY_USE_ONLY, key);
        let fits =
            [short.as_ref(), long.as_ref().get(..20).unwrap_or_default(), whole.as_ref().get(..20).unwrap_or_default()];
        ensure!(fits.contains(&own.as_slice()), "the subject's is no digest of its key");
        let authority = self.certificate.extensions().iter().find_map(|one| {
            if let ParsedExtension::AuthorityKeyIdentifier(identifier) = one.parsed_extension() {
                Some(identifier)
            } else {
                None
            }
        });
        let authority = authority.context("an authority's")?;
        ensure!(authority.authority_cert_issuer.is_none() && authority.authority_cert_serial.is_none(), "by name too");
        let named = authority.key_identifier.as_ref().context("by key")?;
        ensure!(named.0 == subject_key_identifier(&self.issuer)?, "the authority's is another one's");
        Ok(())
    }

    fn constraints(&self, kind: &Kind<'_>) -> Result<()> {
        let constraints = self.certificate.basic_constraints()?.context("there are none")?.value;
        let expected = match kind {
            // Signs no other authorities.
            Kind::Authority { .. } => (true, Some(0)),
            Kind::Device { .. } | Kind::Server { .. } => (false, None),
        };
        ensure!((constraints.ca, constraints.path_len_constraint) == expected, "{constraints:?}");
        Ok(())
    }

    fn usages(&self, kind: &Kind<'_>) -> Result<()> {
        let usage = self.certificate.key_usage()?.context("no key usage")?.value;
        // Bits of RFC 5280, section 4.2.1.3: 0 digitalSignature, 5 keyCertSign, 6 cRLSign. An elliptic key enciphers nothing.
        let expected = match kind {
            Kind::Authority { .. } => (1 << 5) | (1 << 6),
            Kind::Device { .. } | Kind::Server { .. } => 1,
        };
        ensure!(usage.flags == expected, "key usage {usage}");
        let extended = self.certificate.extended_key_usage()?.map(|one| one.value);
        let Some(extended) = extended else {
            ensure!(matches!(kind, Kind::Authority { .. }), "no extended key usage");
            return Ok(());
        };
        let (client, server) = match kind {
            Kind::Authority { .. } => anyhow::bail!("an authority with an extended key usage"),
            Kind::Device { .. } => (true, false),
            Kind::Server { .. } => (false, true),
        };
        ensure!((extended.client_auth, extended.server_auth) == (client, server), "{extended:?}");
        let others = extended.any
            || extended.code_signing
            || extended.email_protection
            || extended.time_stamping
            || extended.ocsp_signing
            || !extended.other.is_empty();
        ensure!(!others, "for other things too: {extended:?}");
        Ok(())
    }

    fn alternative_names(&self, kind: &Kind<'_>) -> Result<()> {
        let names = self.certificate.subject_alternative_name()?.map(|one| one.value.general_names.as_slice());
        match kind {
            Kind::Authority { .. } => ensure!(names.is_none(), "{names:?}"),
            Kind::Device { id } => {
                let Some([GeneralName::URI(uri)]) = names else { anyhow::bail!("{names:?}") };
                ensure!(*uri == format!("urn:kaliun:device:{id}"), "{uri}");
            }
            Kind::Server { name, .. } => {
                let names = names.context("there are none")?;
                ensure!(names.iter().any(|one| matches!(one, GeneralName::DNSName(one) if one == name)), "{names:?}");
                for one in names {
                    ensure!(is_host(one), "{one:?}");
                }
            }
        }
        Ok(())
    }
}

fn subject_key_identifier(certificate: &X509Certificate<'_>) -> Result<Vec<u8>> {
    let found = certificate.extensions().iter().find_map(|one| {
        if let ParsedExtension::SubjectKeyIdentifier(identifier) = one.parsed_extension() {
            Some(identifier.0.to_vec())
        } else {
            None
        }
    });
    found.context("no subject key identifier")
}

/// A host name without a wildcard, or an address of four or sixteen octets.
fn is_host(name: &GeneralName<'_>) -> bool {
    if let GeneralName::IPAddress(octets) = name {
        return matches!(octets.len(), 4 | 16);
    }
    let GeneralName::DNSName(name) = name else { return false };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
