//! Who did what.

use super::some_text;
use crate::output::listed::{Listed, Moment};
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;
use serde_json::Value;

/// One change, as programs read it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AuditEntry {
    /// A text, for numbers beyond 2^53 are not exact in every reader of JSON.
    pub(crate) id: String,
    /// Null in the second before it is sealed.
    pub(crate) sequence: Option<u64>,
    pub(crate) at: Option<Time>,
    pub(crate) actor: Actor,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) source: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) consent_id: Option<String>,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    /// What was erased of it: `actor`, `source`, `before`, `after`.
    pub(crate) erased: Vec<&'static str>,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Actor {
    /// `person`, `api_token` or `control_plane`.
    pub(crate) kind: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
}

const fn kind_word(kind: proto::AuditActorKind) -> &'static str {
    match kind {
        proto::AuditActorKind::Person => "person",
        proto::AuditActorKind::ApiToken => "api_token",
        proto::AuditActorKind::ControlPlane => "control_plane",
        proto::AuditActorKind::Unspecified => "unknown",
    }
}

const fn field_word(field: proto::AuditField) -> Option<&'static str> {
    match field {
        proto::AuditField::Actor => Some("actor"),
        proto::AuditField::Source => Some("source"),
        proto::AuditField::Before => Some("before"),
        proto::AuditField::After => Some("after"),
        proto::AuditField::Unspecified => None,
    }
}

/// What does not read is shown as the text it is.
fn json(text: String) -> Option<Value> {
    some_text(text).map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl From<proto::AuditEntry> for AuditEntry {
    fn from(entry: proto::AuditEntry) -> Self {
        let erased = entry.erased_fields().filter_map(field_word).collect();
        let kind = kind_word(entry.actor_kind());
        Self {
            id: entry.id.to_string(),
            sequence: Some(entry.sequence).filter(|sequence| *sequence > 0),
            at: Time::from_ms(entry.at_us.div_euclid(1_000)),
            actor: Actor { kind, id: some_text(entry.actor_id), name: some_text(entry.actor) },
            action: entry.action,
            target: entry.target,
            source: some_text(entry.source),
            request_id: some_text(entry.request_id),
            consent_id: some_text(entry.consent_id),
            before: json(entry.before_json),
            after: json(entry.after_json),
            erased,
        }
    }
}

impl AuditEntry {
    fn actor_cell(&self) -> Cell {
        match &self.actor.name {
            Some(name) => Cell::new(name),
            None if self.erased.contains(&"actor") => Cell::toned("(erased)", Tone::Faint),
            None => Cell::new(self.actor.kind),
        }
    }

    /// What changed, in one line: `name: a → b`, and the whole where it is no object.
    fn change(&self) -> String {
        if self.erased.contains(&"before") || self.erased.contains(&"after") {
            return "(erased)".to_owned();
        }
        match (&self.before, &self.after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                let differing = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
                let shown = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), short);
                let words =
                    differing.map(|key| format!("{key}: {} → {}", shown(before.get(key)), shown(after.get(key))));
                words.collect::<Vec<_>>().join(", ")
            }
            (None, Some(Value::Object(after))) => {
                after.iter().map(|(key, value)| format!("{key}: {}", short(value))).collect::<Vec<_>>().join(", ")
            }
            (None, Some(value)) | (Some(value), None) => short(value),
            (Some(before), Some(after)) => format!("{} → {}", short(before), short(after)),
            (None, None) => String::new(),
        }
    }

    /// The names of the fields of [`Self::csv`].
    pub(crate) const CSV: &'static [&'static str] = &[
        "sequence",
        "at",
        "actor",
        "actor_kind",
        "actor_id",
        "source",
        "action",
        "target",
        "before",
        "after",
        "request_id",
        "consent_id",
        "erased",
    ];

    /// Its fields for a spreadsheet.
    pub(crate) fn csv(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let value = |value: &Option<Value>| value.as_ref().map_or_else(String::new, Value::to_string);
        vec![
            self.sequence.map_or_else(String::new, |sequence| sequence.to_string()),
            self.at.map_or_else(String::new, |at| at.to_string()),
            text(&self.actor.name),
            self.actor.kind.to_owned(),
            text(&self.actor.id),
            text(&self.source),
            self.action.clone(),
            self.target.clone(),
            value(&self.before),
            value(&self.after),
            text(&self.request_id),
            text(&self.consent_id),
            self.erased.join(" "),
        ]
    }
}

/// A value without the quotes of a text.
fn short(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Listed for AuditEntry {
    const NOUN: &'static str = "entry";
    const PLURAL: &'static str = "entries";
    const COLUMNS: &'static [Column] = &[
        Column::new("AT"),
        Column::new("NUMBER").wide().right(),
        Column::new("ACTOR"),
        Column::new("SOURCE").wide(),
        Column::new("ACTION"),
        Column::new("TARGET").elastic(),
        Column::new("REQUEST").wide(),
        Column::new("CHANGE").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            moment.cell(self.at),
            Cell::optional(self.sequence.map(|sequence| sequence.to_string())),
            self.actor_cell(),
            Cell::optional(self.source.as_ref()),
            Cell::new(&self.action),
            Cell::new(&self.target),
            Cell::optional(self.request_id.as_ref()),
            Cell::new(self.change()),
        ]
    }
}
