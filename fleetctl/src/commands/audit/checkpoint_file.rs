//! Checkpoints that were kept outside of the database: `audit-checkpoints.jsonl` of a control plane.

use crate::failure::{Failure, Kind};
use data_encoding::{BASE64, HEXLOWER};
use kaliun_types::audit::{Checkpoint, Hash};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// One line.
#[derive(Deserialize)]
struct Line {
    organization: String,
    incarnation: u64,
    sequence: u64,
    hash: String,
    at_us: i64,
    key: String,
    signature: String,
}

impl Line {
    fn read(self) -> Option<Checkpoint> {
        let hash = |text: &str| -> Option<Hash> { HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok() };
        Some(Checkpoint {
            organization: self.organization.parse().ok()?,
            incarnation: self.incarnation,
            sequence: self.sequence,
            hash: hash(&self.hash)?,
            at_us: self.at_us,
            key_id: hash(&self.key)?,
            signature: BASE64.decode(self.signature.as_bytes()).ok()?,
        })
    }
}

/// Reads a file. A last line that was cut off counts for nothing: it was being written.
pub(super) fn read(path: &Path) -> Result<Vec<Checkpoint>, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::new(
            Kind::General,
            format!("cannot read {}: {error}", path.display()),
            "name audit-checkpoints.jsonl of a control plane's state folder, or a copy",
        )
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut checkpoints = Vec::new();
    let mut broken = None;
    for (number, line) in (1..).zip(BufReader::new(file).split(b'\n')) {
        let line = line.map_err(|error| failed(&error))?;
        if let Some(number) = broken {
            return Err(Failure::new(
                Kind::General,
                format!("line {number} of {} is no checkpoint", path.display()),
                "name audit-checkpoints.jsonl of a control plane's state folder, or a copy",
            ));
        }
        match serde_json::from_slice::<Line>(&line).ok().and_then(Line::read) {
            Some(checkpoint) => checkpoints.push(checkpoint),
            None => broken = Some(number),
        }
    }
    Ok(checkpoints)
}
