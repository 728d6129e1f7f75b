//! Mails that the server sends, for admins of the server.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use kaliun_domain::mail::MailState;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::mail_service_server::MailService;
use kaliun_store::{MailRow, SystemStore};
use kaliun_types::id::OrganizationId;
use tonic::{Request, Response, Status};

/// Lists them.
pub(crate) struct Mails {
    pub(crate) store: SystemStore,
    pub(crate) seal: PageSeal,
}

fn state_from_proto(number: i32) -> Result<MailState, Status> {
    match proto::MailState::try_from(number) {
        Ok(proto::MailState::Waiting) => Ok(MailState::Waiting),
        Ok(proto::MailState::Sent) => Ok(MailState::Sent),
        Ok(proto::MailState::GivenUp) => Ok(MailState::GivenUp),
        Ok(proto::MailState::Unspecified) | Err(_) => {
            Err(status::invalid("state", "must be waiting, sent or given up; leave it out for all"))
        }
    }
}

/// What the caller may see of a mail: of one that is sent for another organization neither to whom and for which, nor what the mail
/// server said, for that often repeats the address.
fn shown(row: MailRow, own: OrganizationId) -> MailRow {
    match row.organization {
        Some((organization, _)) if organization != own => MailRow {
            organization: None,
            recipient: String::new(),
            last_error: row.last_error.as_deref().map(without_answer),
            ..row
        },
        Some(_) | None => row,
    }
}

/// Why an attempt failed in our own words, with the code that the mail server gave and none of its words. Those stand in the first
/// parentheses.
fn without_answer(error: &str) -> String {
    let Some((before, answer)) = error.split_once(" (") else { return error.to_owned() };
    let code =
        answer.split(' ').next().filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()));
    code.map_or_else(|| before.to_owned(), |code| format!("{before} ({code})"))
}

fn to_proto(row: MailRow) -> proto::MailEntry {
    let state = match row.state {
        MailState::Waiting => proto::MailState::Waiting,
        MailState::Sent => proto::MailState::Sent,
        MailState::GivenUp => proto::MailState::GivenUp,
    };
    let (organization_id, organization_name) =
        row.organization.map(|(id, name)| (id.to_string(), name)).unwrap_or_default();
    proto::MailEntry {
        id: row.id.to_string(),
        organization_id,
        organization_name,
        recipient: row.recipient,
        kind: row.kind,
        state: state.into(),
        created_at_ms: clock::to_ms(row.created_at),
        attempts: row.attempts,
        next_attempt_at_ms: row.next_attempt_at.map(clock::to_ms).unwrap_or_default(),
        ended_at_ms: row.ended_at.map(clock::to_ms).unwrap_or_default(),
        last_error: row.last_error.unwrap_or_default(),
    }
}

#[tonic::async_trait]
impl MailService for Mails {
    async fn list_mails(
        &self,
        request: Request<proto::ListMailsRequest>,
    ) -> Result<Response<proto::ListMailsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let asked = request.get_ref();
        let size = page::size(asked.page_size, page::DEFAULT)?;
        let state = asked.state.map(state_from_proto).transpose()?;
        let list = self.seal.list(caller.scope(), &format!("mails {state:?}"));
        let before = list.position(&asked.page_token)?.and_then(|id| id.parse().ok());
        let mut rows = self.store.mail_list_page(state, before, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.id.to_string()));
        let own = caller.scope().organization();
        let mails = rows.into_iter().map(|row| to_proto(shown(row, own))).collect();
        Ok(Response::new(proto::ListMailsResponse { mails, next_page_token }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_without_the_server_s_words() {
        let check = |error: &str, expected: &str| assert_eq!(without_answer(error), expected);
        check(
            "it does not take mails to this address (550 5.1.1 <ada@example.org> unknown)",
            "it does not take mails to this address (550)",
        );
        check("it cannot be spoken to (refused): see whether smtp_url is right", "it cannot be spoken to");
        check("no mail server was configured while it waited", "no mail server was configured while it waited");
    }
}
