//! Program `kaliun-fuzz-corpus`: makes the inputs in `corpus/` anew, with new keys. Wanted only when a target reads something else than
//! before; what fuzzing found (files that do not begin with `seed-`) stays.

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, HEXLOWER};
use kaliun_control_plane::fuzzing;
use kaliun_fuzz::{KNOWN_EXPORTER, KNOWN_NONCE, corpus, join, now};
use kaliun_proto::enrollment::v1::{
    EnrollRequest, GetTrustBundleResponse, RecoverRequest, SignedTrustBundle, TrustBundle, enroll_request,
    recover_request,
};
use kaliun_proto::fleet::v1::SignInRequest;
use kaliun_proto::link::v1::device_message::Message as Content;
use kaliun_proto::link::v1::{
    DeviceEvent, DeviceMessage, EventBatch, FactsReport, Heartbeat, Hello, ItemClass, SampleBatch, SpoolPosition,
};
use kaliun_proto::telemetry::v1::{Facts, Health, HealthVerdict, Metric, Reason, Sample, SampleValues};
use kaliun_types::id::{DeviceId, OrganizationId, device_uri};
use ppp::v2::{Addresses, Builder, Command, IPv4, IPv6, Protocol, Version};
use prost::Message;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PublicKeyData as _, SanType, SigningKey as _,
};
use std::fs;
use std::net::Ipv6Addr;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn main() -> Result<()> {
    let known = corpus::folder().join("known");
    fs::create_dir_all(&known).with_context(|| format!("cannot make {}", known.display()))?;
    certificates()?;
    requests()?;
    trust()?;
    link()?;
    headers()?;
    texts()
}

/// Writes the inputs of a target, in place of those that were made before.
fn write(target: &str, seeds: &[(&str, Vec<u8>)]) -> Result<()> {
    let folder = corpus::of(target);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("seed-") {
            fs::remove_file(entry.path())?;
        }
    }
    for (name, seed) in seeds {
        fs::write(folder.join(format!("seed-{name}")), seed)?;
    }
    Ok(())
}

fn write_known(file: &str, content: &[u8]) -> Result<()> {
    Ok(fs::write(corpus::folder().join("known").join(file), content)?)
}

fn key() -> Result<KeyPair> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

fn key_hash(key: &KeyPair) -> Vec<u8> {
    digest(&SHA256, &key.subject_public_key_info()).as_ref().to_vec()
}

fn authority(number: u32) -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Kaliun Fleet device authority {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now() - 100 * DAY).into();
    params.not_after = (now() + 3_650 * DAY).into();
    Ok(CertifiedIssuer::self_signed(params, key()?)?)
}

fn leaf(names: Vec<SanType>, from: SystemTime, until: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.is_ca = IsCa::ExplicitNoCa;
    (params.not_before, params.not_after) = (from.into(), until.into());
    params
}

fn certificates() -> Result<()> {
    let (first, second, stranger) = (authority(1)?, authority(2)?, authority(1)?);
    write_known("authority-1.der", first.der())?;
    write_known("authority-2.der", second.der())?;
    let (from, until) = (now() - DAY, now() + 29 * DAY);
    let uri = |device: DeviceId| Ok::<_, anyhow::Error>(SanType::URI(device_uri(device).try_into()?));
    let dns = SanType::DnsName("box.example".try_into()?);
    let mut certified = String::new();
    let mut good = |number: u32, issuer: &Authority, of: Option<OrganizationId>| -> Result<Vec<u8>> {
        let (device, key) = (DeviceId::new(), key()?);
        let of = of.map_or_else(String::new, |of| of.to_string());
        certified.push_str(&format!("{number}/{device}/{}/{of}\n", HEXLOWER.encode(&key_hash(&key))));
        let mut params = leaf(vec![uri(device)?], from, until);
        params.distinguished_name.push(DnType::CommonName, device.to_string());
        if !of.is_empty() {
            params.distinguished_name.push(DnType::OrganizationName, of);
        }
        let certificate = params.signed_by(&key, issuer)?;
        Ok(join(&[certificate.der(), issuer.der()]))
    };
    let good_first = good(1, &first, Some(OrganizationId::from_uuid(uuid::Uuid::from_u128(1))))?;
    let good_second = good(2, &second, None)?;
    let bad = |names: Vec<SanType>, from, until, issuer: &Authority| -> Result<Vec<u8>> {
        Ok(join(&[leaf(names, from, until).signed_by(&key()?, issuer)?.der(), issuer.der()]))
    };
    let device = DeviceId::new();
    let alone = leaf(vec![uri(device)?], from, until).self_signed(&key()?)?;
    let seeds = [
        ("good-1", good_first),
        ("good-2", good_second),
        ("expired", bad(vec![uri(device)?], now() - 40 * DAY, now() - 10 * DAY, &first)?),
        ("not-yet", bad(vec![uri(device)?], now() + DAY, now() + 31 * DAY, &first)?),
        ("by-another-of-that-name", bad(vec![uri(device)?], from, until, &stranger)?),
        ("signed-by-itself", join(&[alone.der()])),
        ("two-names", bad(vec![uri(device)?, uri(DeviceId::new())?], from, until, &first)?),
        ("another-name", bad(vec![dns], from, until, &first)?),
        ("no-name", bad(Vec::new(), from, until, &first)?),
        ("an-authority", join(&[first.der()])),
        ("none", Vec::new()),
    ];
    write("certificate", &seeds)?;
    write_known("certified", certified.as_bytes())
}

fn request(key: &KeyPair) -> Result<Vec<u8>> {
    Ok(CertificateParams::default().serialize_request(key)?.der().to_vec())
}

fn requests() -> Result<()> {
    let (one, other) = (key()?, key()?);
    let (plain, damaged) = (request(&one)?, {
        let mut damaged = request(&one)?;
        if let Some(last) = damaged.last_mut() {
            *last ^= 1;
        }
        damaged
    });
    let mut with_names = CertificateParams::new(vec!["box.example".to_owned()])?;
    with_names.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let with_names = with_names.serialize_request(&other)?.der().to_vec();
    let larger = request(&KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?)?;
    write_known("request.der", &plain)?;
    let requested = [&one, &other].map(|key| HEXLOWER.encode(&key_hash(key))).join("\n");
    write_known("requested", format!("{requested}\n").as_bytes())?;
    let seeds = [("plain", plain.clone()), ("with-names", with_names), ("damaged", damaged), ("another-curve", larger)];
    write("certificate_request", &seeds)?;

    let enrolls = one.sign(&[b"kaliun enrollment v1\0", KNOWN_NONCE.as_slice(), &key_hash(&one)].concat())?;
    let recovers = [b"kaliun recovery v1\0", KNOWN_NONCE.as_slice(), &key_hash(&one), &KNOWN_EXPORTER].concat();
    let recovers = one.sign(&recovers)?;
    let proofs = [
        ("enrollment", join(&[&KNOWN_NONCE, &KNOWN_EXPORTER, &enrolls])),
        ("recovery", join(&[&KNOWN_NONCE, &KNOWN_EXPORTER, &recovers])),
        ("another-connection", join(&[&KNOWN_NONCE, &[0; 32], &recovers])),
        ("nothing", join(&[b"", b"", b""])),
    ];
    write("proof", &proofs)?;
    dialogues(&plain, &enrolls, &recovers)
}

/// A message with its head, as gRPC has it on the wire.
fn framed(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], length.as_slice(), &message].concat()
}

fn facts() -> Facts {
    Facts {
        hostname: "cellar".to_owned(),
        operating_system: "Debian GNU/Linux 12".to_owned(),
        agent_version: "0.1.0".to_owned(),
        cpu_count: 4,
        addresses: vec!["192.0.2.7".to_owned()],
        ..Facts::default()
    }
}

fn dialogues(request: &[u8], enrolls: &[u8], recovers: &[u8]) -> Result<()> {
    use enroll_request::Step as Enroll;
    use recover_request::Step as Recover;
    let token = format!("kjt1.{}.{}", "a".repeat(32), "0f".repeat(32));
    let enroll = |step| framed(&EnrollRequest { step: Some(step) });
    let begin = |join_token: &str, facts| {
        let certificate_request = request.to_vec();
        enroll(Enroll::Begin(enroll_request::Begin { certificate_request, join_token: join_token.to_owned(), facts }))
    };
    let proof =
        enroll(Enroll::Proof(enroll_request::Proof { signature: enrolls.to_vec(), check_commitment: vec![7; 32] }));
    let reveal = enroll(Enroll::Reveal(enroll_request::Reveal { check_bytes: vec![8; 32] }));
    let seeds = [
        ("by-token", [begin(&token, Some(facts())), proof.clone()].concat()),
        ("by-code", [begin("", Some(facts())), proof.clone()].concat()),
        ("no-proof", begin("", None)),
        ("reveal", [begin("", Some(facts())), proof.clone(), reveal.clone()].concat()),
        ("reveal-first", reveal),
        ("proof-first", proof),
        ("no-step", framed(&EnrollRequest { step: None })),
        ("compressed", [&[1_u8, 0, 0, 0, 2], b"\x0a\0".as_slice()].concat()),
    ];
    write("enrollment", &seeds)?;
    let recover = |step| framed(&RecoverRequest { step: Some(step) });
    let begin = recover(Recover::Begin(recover_request::Begin { certificate_request: request.to_vec() }));
    let proof = recover(Recover::Proof(recover_request::Proof { signature: recovers.to_vec() }));
    let seeds = [
        ("whole", [begin.clone(), proof.clone()].concat()),
        ("no-proof", begin),
        ("proof-first", proof),
        ("no-step", framed(&RecoverRequest { step: None })),
    ];
    write("recovery", &seeds)?;

    let sign_in =
        framed(&SignInRequest { email: "admin@localhost".to_owned(), password: "a long password".to_owned() });
    let kind = |kind: u8, body: &[u8]| [&[kind], body].concat();
    let calls = [
        ("grpc", kind(0, &sign_in)),
        ("grpc-web", kind(1, &sign_in)),
        ("grpc-web-text", kind(2, BASE64.encode(&sign_in).as_bytes())),
        ("too-long", kind(0, &framed(&SignInRequest { email: "a".repeat(5_000), password: String::new() }))),
        ("a-length-that-is-not-there", kind(0, &[0, 0xff, 0xff, 0xff, 0xff])),
    ];
    write("strangers_call", &calls)
}

fn trust() -> Result<()> {
    let keys = [key()?, key()?, key()?, key()?];
    let sign = |bundle: &TrustBundle, by: &KeyPair| -> Result<SignedTrustBundle> {
        let bundle = bundle.encode_to_vec();
        let signature = by.sign(&[b"kaliun trust bundle v1\0", bundle.as_slice()].concat())?;
        Ok(SignedTrustBundle { bundle, signature })
    };
    let bundle = |version: u64, authorities: &[&[u8]], next: &KeyPair| TrustBundle {
        version,
        certificate_authorities: authorities.iter().map(|authority| authority.to_vec()).collect(),
        bundle_key: next.der_bytes().to_vec(),
        created_at_ms: 1_780_000_000_000 + i64::try_from(version).unwrap_or(0),
    };
    let [first, second, third, other] = &keys;
    let (one, two) = (authority(1)?, authority(2)?);
    let (one, two): (&[u8], &[u8]) = (one.der(), two.der());
    let chain = vec![
        sign(&bundle(1, &[one], first), first)?,
        sign(&bundle(2, &[one, two], second), first)?,
        sign(&bundle(3, &[two], third), second)?,
    ];
    let encoded = |bundles: &[&SignedTrustBundle]| {
        GetTrustBundleResponse { bundles: bundles.iter().map(|one| (*one).clone()).collect() }.encode_to_vec()
    };
    let [v1, v2, v3] = chain.as_slice() else { anyhow::bail!("three versions") };
    write_known("trust-chain.pb", &encoded(&[v1, v2, v3]))?;
    let strangers = sign(&bundle(1, &[one], other), other)?;
    let forged = sign(&bundle(2, &[one, two], other), other)?;
    let empty = sign(&bundle(2, &[], second), first)?;
    let seeds = [
        ("whole", encoded(&[v1, v2, v3])),
        ("first", encoded(&[v1])),
        ("a-gap", encoded(&[v1, v3])),
        ("twice", encoded(&[v1, v1, v2])),
        ("news", encoded(&[v2, v3])),
        ("a-strangers", encoded(&[&strangers])),
        ("forged", encoded(&[v1, &forged, v3])),
        ("no-authorities", encoded(&[v1, &empty])),
    ];
    write("trust_chain", &seeds)
}

fn link() -> Result<()> {
    let say = |content| framed(&DeviceMessage { message: Some(content) });
    let spool = |item_class: ItemClass| SpoolPosition {
        item_class: item_class.into(),
        spool_id: vec![7; 16],
        ..SpoolPosition::default()
    };
    let hello = Hello {
        protocol: 1,
        agent_version: "0.1.0".to_owned(),
        boot_id: "00000000-0000-4000-8000-000000000001".to_owned(),
        capabilities: vec!["wipe".to_owned()],
        facts_hash: vec![1; 32],
        now_ms: 1_780_000_000_000,
        spools: vec![spool(ItemClass::Events), spool(ItemClass::Samples)],
        trust_bundle_version: 1,
        ..Hello::default()
    };
    let with = |change: fn(&mut Hello)| {
        let mut hello = hello.clone();
        change(&mut hello);
        say(Content::Hello(Box::new(hello)))
    };
    let heartbeat = say(Content::Heartbeat(Heartbeat { now_ms: 1 }));
    let seeds = [
        ("plain", with(|_| {})),
        ("no-protocol", with(|hello| hello.protocol = 0)),
        ("a-long-version", with(|hello| hello.agent_version = "9".repeat(65))),
        ("a-short-spool", with(|hello| hello.spools.iter_mut().for_each(|spool| spool.spool_id = vec![1]))),
        ("no-hello", heartbeat.clone()),
    ];
    write("hello", &seeds)?;

    let reason = Reason { code: "disk.full".to_owned(), message: "95 %".to_owned(), ..Reason::default() };
    let sample = Sample {
        sampled_at_ms: 1_780_000_000_000,
        values: Some(SampleValues { metrics: vec![Metric::CpuBusyRatio.into()], values: vec![0.5] }),
        health: Some(Health { verdict: HealthVerdict::Degraded.into(), reasons: vec![reason] }),
    };
    let samples = say(Content::SampleBatch(SampleBatch {
        spool_id: vec![7; 16],
        first_sequence: 1,
        samples: vec![sample.clone(), sample],
    }));
    let event =
        DeviceEvent { happened_at_ms: 1, code: "agent.started".to_owned(), message: "version 0.1.0".to_owned() };
    let events = say(Content::EventBatch(EventBatch { spool_id: vec![7; 16], first_sequence: 1, events: vec![event] }));
    let report = say(Content::FactsReport(FactsReport { facts: Some(facts()), ..FactsReport::default() }));
    let seeds = [
        ("samples", samples.clone()),
        ("events", events.clone()),
        ("all", [heartbeat, samples, events, report].concat()),
        ("nothing", framed(&DeviceMessage { message: None })),
    ];
    write("link_items", &seeds)
}

fn headers() -> Result<()> {
    let header = |command, addresses: Addresses| {
        Builder::with_addresses(Version::Two | command, Protocol::Stream, addresses).build()
    };
    let home: Ipv6Addr = "2001:db8:1::7".parse()?;
    let v4 = IPv4::new([203, 0, 113, 7], [192, 0, 2, 1], 4711, 8443);
    let seeds = [
        ("v4", header(Command::Proxy, v4.into())?),
        ("v6", header(Command::Proxy, IPv6::new(home, home, 1, 2).into())?),
        ("local", header(Command::Local, v4.into())?),
        ("unspecified", header(Command::Proxy, Addresses::Unspecified)?),
        ("with-more", {
            let mut long = header(Command::Proxy, v4.into())?;
            long.splice(14..16, [0, 12 + 5]);
            [long, vec![4, 0, 2, 0, 0]].concat()
        }),
        ("version-1", b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 8443\r\n".to_vec()),
        ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
    ];
    write("proxy_header", &seeds)?;
    let lines: &[(&str, &[u8])] = &[
        ("one", b"203.0.113.7"),
        ("two-hops", b"192.0.2.66, 203.0.113.7, 192.0.2.3"),
        ("two-lines", b"\xff\xfe, 10.0.0.1\n[2001:db8:1::7]:50123"),
        ("port", b"203.0.113.7:50123, 192.0.2.2:443"),
        ("nobody", b"unknown"),
        ("proxies-alone", b"192.0.2.2, 192.0.2.3"),
    ];
    write("forwarded_for", &owned(lines))?;
    let lines: &[(&str, &[u8])] = &[
        ("token", b"authorization: Bearer kat1.0123456789abcdef0123456789abcdef"),
        ("cookie", b"cookie: theme=dark; __Host-kaliun=0123456789abcdef"),
        ("both", b"authorization: Bearer kat1.0123456789abcdef\ncookie: __Host-kaliun=0123456789abcdef"),
        ("basic", b"authorization: Basic YWRtaW46YWRtaW4="),
        ("another-cookie", b"cookie: kaliun=1; __host-kaliun=2\ncookie: __Host-kaliun"),
    ];
    write("credential", &owned(lines))
}

fn owned<'a>(seeds: &[(&'a str, &[u8])]) -> Vec<(&'a str, Vec<u8>)> {
    seeds.iter().map(|(name, seed)| (*name, seed.to_vec())).collect()
}

fn texts() -> Result<()> {
    let (secret, hash) = ("Ab-_".repeat(8), "0f".repeat(32));
    let seeds = [
        ("whole", format!("kjt1.{secret}.{hash}\n").into_bytes()),
        ("large-digits", format!("kjt1.{secret}.{}", hash.to_uppercase()).into_bytes()),
        ("signs-in-the-hash", format!("kjt1.{secret}.{}", "+f".repeat(32)).into_bytes()),
        ("another-version", format!("kjt2.{secret}.{hash}").into_bytes()),
        ("cut", format!("kjt1.{secret}.{}", hash.trim_end_matches('f')).into_bytes()),
    ];
    write("join_token", &seeds)?;
    let codes: &[(&str, &[u8])] = &[
        ("whole", b"AC3467DX"),
        ("as-typed", b" ac34-67 dx\n"),
        ("look-alike", b"AC3467D0"),
        ("short", b"AC3467D"),
        ("large-letters-that-have-no-small-ones", "AC3467D\u{131}".as_bytes()),
    ];
    write("claim_code", &owned(codes))?;
    let checks: &[(&str, &[u8])] = &[
        ("whole", b"K7M4"),
        ("as-typed", b" k7-m4\n"),
        ("look-alike", b"K7M0"),
        ("short", b"K7M"),
        ("wide", "K7M\u{ff14}".as_bytes()),
    ];
    write("check_characters", &owned(checks))?;
    let names: &[(&str, &[u8])] = &[
        ("host", b"cellar\nHA Green\nSN-0815\nbox-{serial}"),
        ("nothing", b"\n\n\n{hostname}-{n}"),
        ("long", b"a-very-long-name-of-a-box-that-goes-on-and-on-beyond-all-that-is-sensible\n-\n--\n{model}{key}"),
        ("wide", "K\u{fc}che \u{1f4a1}\n\u{2126}\n\u{0}\n{hostname}".as_bytes()),
        ("no-pattern", b"cellar\n\n\nbox"),
    ];
    write("device_name", &owned(names))?;
    let organization = |number| OrganizationId::from_uuid(uuid::Uuid::from_u128(number));
    let token = |number, question| fuzzing::page_token(&[7; 32], organization(number), question, "cellar-1");
    let seeds = [
        ("whole", token(1, "devices site=graz").into_bytes()),
        ("of-another-list", token(1, "devices").into_bytes()),
        ("of-another-organization", token(2, "devices site=graz").into_bytes()),
        ("nothing", Vec::new()),
    ];
    write("page_token", &seeds)
}
