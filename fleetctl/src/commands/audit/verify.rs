//! `fleetctl audit verify`: everything is computed here, from what the server hands out, and compared with what this fleetctl has seen
//! before and with checkpoints that were kept elsewhere.

use super::{chain, checkpoint_file};
use crate::Program;
use crate::cli::{AuditVerify, Format, Global};
use crate::client::Client;
use crate::config::heads::{self, Head};
use crate::failure::{Failure, Kind};
use crate::output::print_document;
use crate::settings;
use crate::view::verification::{Compared, Verification};
use chain::{TOOLS, key_id};
use data_encoding::HEXLOWER;
use kaliun_proto::fleet::v1::AuditChainStart;
use kaliun_proto::fleet::v1::export_audit_chain_response::Piece;
use kaliun_types::audit::{Checkpoint, Hash, Known, Origin, Report, Start, Verifier};
use kaliun_types::id::OrganizationId;

/// What the stream began with.
struct Begun {
    organization: OrganizationId,
    incarnation: u64,
    key_ids: Vec<Hash>,
    verifier: Verifier,
}

/// Verifies the chain of the caller's organization. Finding anything is an end of its own, for whoever asks by a script.
pub(super) async fn run(program: &mut Program, global: &Global, arguments: AuditVerify) -> Result<(), Failure> {
    let mut kept = Vec::new();
    for path in &arguments.checkpoints {
        kept.extend(checkpoint_file::read(path)?);
    }
    let client = Client::open(program, global).await?;
    let server = settings::again(program, global)?.server.to_string();
    let mut stream = client.audit_export().await?;
    let Piece::Start(start) = stream.next().await? else { return Err(out_of_order()) };
    let memory = heads::path(&program.environment)?;
    let remembered = heads::load(&memory, &server, &start.organization_id)?;
    let mut begun = begin(start, remembered.as_ref(), &kept)?;
    let end = loop {
        match stream.next().await? {
            Piece::Part(part) => {
                for checkpoint in part.checkpoints {
                    let checkpoint = chain::checkpoint(begun.organization, checkpoint)?;
                    begun.verifier.checkpoint(&checkpoint, Origin::Checkpoint);
                }
                for entry in part.entries {
                    begun.verifier.entry(chain::entry(begun.organization, entry)?);
                }
            }
            Piece::End(end) => break chain::end(end)?,
            Piece::Start(_) => return Err(out_of_order()),
        }
    };
    let Begun { organization, incarnation, key_ids, verifier } = begun;
    let report = verifier.finish(&end);
    if report.is_good() || arguments.accept {
        let verified_at_ms = (program.clock)();
        let head = head_of(&report, incarnation, &key_ids, verified_at_ms);
        if let Some(head) = head {
            heads::save(&memory, &server, &organization.to_string(), head)?;
        }
    }
    let compared = Compared { remembered, file: arguments.checkpoints.len(), accepted: arguments.accept };
    show(program, arguments.output.output, Verification::new(organization, &key_ids, report, compared))
}

fn out_of_order() -> Failure {
    Failure::new(
        Kind::General,
        "the server's chain comes in another order than it should",
        "compare the versions with `fleetctl version`, and report this",
    )
}

/// Begins with all that somebody else knows.
fn begin(start: AuditChainStart, remembered: Option<&Head>, kept: &[Checkpoint]) -> Result<Begun, Failure> {
    let organization = chain::organization(&start.organization_id)?;
    let cut = start.cut.map(|cut| chain::cut(organization, cut)).transpose()?;
    let key_ids = start.public_keys.iter().map(|key| key_id(key)).collect();
    let known_keys = remembered.map(|head| head.keys.iter().filter_map(|key| unhex(key)).collect());
    let mut verifier = Verifier::new(TOOLS, Start { organization, cut, keys: start.public_keys, known_keys });
    let of_it = kept.iter().filter(|checkpoint| checkpoint.organization == organization);
    of_it.for_each(|checkpoint| verifier.checkpoint(checkpoint, Origin::File));
    if let Some((head, hash)) = remembered.and_then(|head| Some((head, unhex(&head.hash)?))) {
        let Head { incarnation, sequence, .. } = *head;
        verifier.known(Known { origin: Origin::Remembered, incarnation, sequence, hash });
    }
    Ok(Begun { organization, incarnation: start.incarnation, key_ids, verifier })
}

fn unhex(text: &str) -> Option<Hash> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// What to remember of it.
fn head_of(report: &Report, incarnation: u64, key_ids: &[Hash], verified_at_ms: i64) -> Option<Head> {
    let keys = key_ids.iter().map(|key| HEXLOWER.encode(key)).collect();
    let hash = HEXLOWER.encode(&report.head?);
    Some(Head { incarnation, sequence: report.last, hash, keys, verified_at_ms })
}

fn show(program: &mut Program, format: Format, verification: Verification) -> Result<(), Failure> {
    let count = verification.fault_count();
    match format {
        Format::Json | Format::Yaml => print_document(program, format, &verification)?,
        Format::Name => verification.codes().try_for_each(|code| program.console.print_line(code))?,
        Format::Table | Format::Wide => {
            let now_ms = (program.clock)();
            verification.lines(now_ms).iter().try_for_each(|line| program.console.print_line(line))?;
        }
    }
    if count == 0 {
        return Ok(());
    }
    let things = if count == 1 { "one thing is wrong".to_owned() } else { format!("{count} things are wrong") };
    let hint =
        "keep the database as it is and compare it with a backup; docs/howto/read-the-audit.md says what each means";
    Err(Failure::new(Kind::Found, format!("{things} with the audit"), hint))
}
