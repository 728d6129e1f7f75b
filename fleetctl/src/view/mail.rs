//! A mail that the server sends, without what its link opens.

use super::some_text;
use crate::output::listed::{Listed, Moment};
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A mail as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mail {
    pub(crate) id: String,
    pub(crate) organization: Option<OrganizationReference>,
    pub(crate) recipient: String,
    pub(crate) kind: String,
    pub(crate) state: &'static str,
    pub(crate) created_at: Option<Time>,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: Option<Time>,
    pub(crate) ended_at: Option<Time>,
    pub(crate) last_error: Option<String>,
}

/// The organization that a mail is sent for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OrganizationReference {
    pub(crate) id: String,
    pub(crate) name: String,
}

const WAITING: &str = "waiting";
const SENT: &str = "sent";
const GIVEN_UP: &str = "given-up";

fn state(number: i32) -> &'static str {
    match proto::MailState::try_from(number) {
        Ok(proto::MailState::Waiting) => WAITING,
        Ok(proto::MailState::Sent) => SENT,
        Ok(proto::MailState::GivenUp) => GIVEN_UP,
        Ok(proto::MailState::Unspecified) | Err(_) => "unknown",
    }
}

impl From<proto::MailEntry> for Mail {
    fn from(mail: proto::MailEntry) -> Self {
        let name = mail.organization_name;
        Self {
            organization: some_text(mail.organization_id).map(|id| OrganizationReference { id, name }),
            id: mail.id,
            recipient: mail.recipient,
            kind: mail.kind,
            state: state(mail.state),
            created_at: Time::from_ms(mail.created_at_ms),
            attempts: mail.attempts,
            next_attempt_at: Time::from_ms(mail.next_attempt_at_ms),
            ended_at: Time::from_ms(mail.ended_at_ms),
            last_error: some_text(mail.last_error),
        }
    }
}

impl Listed for Mail {
    const NOUN: &'static str = "mail";
    const PLURAL: &'static str = "mails";
    const COLUMNS: &'static [Column] = &[
        Column::new("CREATED"),
        Column::new("TO"),
        Column::new("KIND"),
        Column::new("STATE"),
        Column::new("TRIES").right(),
        Column::new("NEXT"),
        Column::new("ORGANIZATION").wide(),
        Column::new("ENDED").wide(),
        Column::new("ID").wide(),
        Column::new("REASON").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        let tone = match self.state {
            SENT => Tone::Good,
            GIVEN_UP => Tone::Bad,
            _ => Tone::Faint,
        };
        vec![
            moment.cell(self.created_at),
            Cell::new(&self.recipient),
            Cell::new(&self.kind),
            Cell::toned(self.state, tone),
            Cell::new(self.attempts.to_string()),
            moment.cell(self.next_attempt_at),
            Cell::optional(self.organization.as_ref().map(|organization| &organization.name)),
            moment.cell(self.ended_at),
            Cell::new(&self.id),
            Cell::optional(self.last_error.as_ref()),
        ]
    }
}
