//! Program `kaliun-dev-ca`: makes the certificate of a dashboard that `cargo xtask up` serves on another address than
//! loopback, from an authority of its own.
//!
//! The authority is made once and kept, so that a device which was told to trust it stays content. It may vouch for
//! nothing but the names it was made for, so that trusting it is a small risk. For development only.

use anyhow::Context as _;
use clap::Parser;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The certificate is made anew at each start; phones refuse any that is valid for more than 398 days.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// The authority is trusted by hand, which nobody wants to do often.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 3600);

/// Certificates are valid from a little before now, for devices whose clock is late.
const CLOCK_MARGIN: Duration = Duration::from_secs(3600);

#[derive(Debug, Parser)]
#[command(about = "Makes a certificate from a development authority.")]
struct Arguments {
    /// The folder of ca.pem, ca.key, cert.pem and key.pem.
    #[arg(long)]
    folder: PathBuf,
    /// A name or address of the dashboard; may be given several times.
    #[arg(long = "name", required = true)]
    names: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (authority, key) = read_or_make_authority(&arguments.folder, &arguments.names)?;
    let issuer = Issuer::from_ca_cert_pem(&authority, key).context("the authority's certificate is damaged")?;
    let key = KeyPair::generate().context("no key could be made")?;
    let mut params = CertificateParams::new(arguments.names).context("a name cannot stand in a certificate")?;
    params.distinguished_name.push(DnType::CommonName, "Kaliun Fleet dashboard (development)");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid_for(&mut params, CERTIFICATE_LIFETIME);
    let certificate = params.signed_by(&key, &issuer).context("the certificate could not be signed")?;
    write(&arguments.folder.join("key.pem"), &key.serialize_pem(), 0o600)?;
    // The authority follows, so that a client which has only its root gets the whole chain.
    write(&arguments.folder.join("cert.pem"), &format!("{}{authority}", certificate.pem()), 0o644)
}

/// Takes the authority that is there, when it may vouch for these names; else makes one.
fn read_or_make_authority(folder: &Path, names: &[String]) -> anyhow::Result<(String, KeyPair)> {
    let (certificate_file, key_file, names_file) =
        (folder.join("ca.pem"), folder.join("ca.key"), folder.join("ca.names"));
    let mut sorted = names.to_vec();
    sorted.sort();
    let wanted = sorted.join("\n");
    let kept = std::fs::read_to_string(&names_file).is_ok_and(|kept| kept.trim() == wanted);
    if kept
        && let (Ok(certificate), Ok(key)) =
            (std::fs::read_to_string(&certificate_file), std::fs::read_to_string(&key_file))
    {
        return Ok((certificate, KeyPair::from_pem(&key).context("the authority's key is damaged")?));
    }
    let key = KeyPair::generate().context("no key could be made")?;
    let certificate = authority(names)?.self_signed(&key).context("the authority could not be made")?.pem();
    write(&key_file, &key.serialize_pem(), 0o600)?;
    write(&certificate_file, &certificate, 0o644)?;
    write(&names_file, &wanted, 0o644)?;
    Ok((certificate, key))
}

fn authority(names: &[String]) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).context("no parameters")?;
    params.distinguished_name.push(DnType::CommonName, "Kaliun Fleet development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let permitted_subtrees = names.iter().map(|name| subtree(name)).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    valid_for(&mut params, AUTHORITY_LIFETIME);
    Ok(params)
}

fn subtree(name: &str) -> GeneralSubtree {
    match name.parse::<IpAddr>() {
        Ok(address) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
        }
        Err(_) => GeneralSubtree::DnsName(name.to_owned()),
    }
}

fn valid_for(params: &mut CertificateParams, lifetime: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_MARGIN).into();
    params.not_after = (now + lifetime).into();
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::pem::parse_x509_pem;

    #[test]
    fn the_authority_is_kept_and_vouches_for_its_names_only() {
        let folder = std::env::temp_dir().join(format!("kaliun-dev-ca-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let names = ["localhost".to_owned(), "192.0.2.7".to_owned()];
        let (first, _) = read_or_make_authority(&folder, &names).unwrap();
        let (second, _) = read_or_make_authority(&folder, &names).unwrap();
        assert_eq!(first, second);
        let (_, pem) = parse_x509_pem(first.as_bytes()).unwrap();
        let certificate = pem.parse_x509().unwrap();
        assert!(certificate.is_ca());
        let constraints = certificate.name_constraints().unwrap().unwrap();
        assert_eq!(constraints.value.permitted_subtrees.as_ref().unwrap().len(), 2);
        let (other, _) = read_or_make_authority(&folder, &names[..1]).unwrap();
        assert_ne!(first, other, "other names need another authority");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
