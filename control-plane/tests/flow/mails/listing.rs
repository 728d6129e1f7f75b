//! The list of mails, for whoever runs the server.

use super::{notice, reset, row, start};
use crate::support::mail_server::MailServer;
use crate::support::with_token;
use anyhow::{Context, Result};
use kaliun_domain::mail::MailState;
use kaliun_mail_sink::session::{Answer, Step};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::mail_service_client::MailServiceClient;
use kaliun_types::id::AccountId;
use tonic::Code;

#[tokio::test]
async fn whoever_runs_the_server_sees_how_far_mails_are_and_why() -> Result<()> {
    let takes_one = |step: Step<'_>| match step {
        Step::Recipient("ada@example.org") => Answer::Say("550 5.1.1 no such user"),
        Step::Connected | Step::Sender(_) | Step::Recipient(_) | Step::Message(_) => Answer::Accept,
    };
    let mail_server = MailServer::start(takes_one).await?;
    let (fixture, store) = start(&mail_server).await?;
    store.system.mail_insert(notice("grace@example.org")).await?;
    mail_server.taken(1).await?;
    row(&store, |row| row.state == MailState::Sent).await?;
    store.system.mail_insert(reset(AccountId::new())).await?;
    row(&store, |row| row.state == MailState::GivenUp).await?;
    let mut mails = MailServiceClient::new(fixture.public().await?);
    let mut list = async |page_token: String, state: Option<fleet::MailState>| {
        let request = fleet::ListMailsRequest { page_size: 1, page_token, state: state.map(i32::from) };
        mails.list_mails(with_token(request)).await.map(tonic::Response::into_inner)
    };
    let first = list(String::new(), None).await?;
    let given_up = first.mails.first().context("the newest")?;
    assert_eq!((given_up.recipient.as_str(), given_up.kind.as_str()), ("ada@example.org", "reset_password"));
    assert_eq!((given_up.state(), given_up.next_attempt_at_ms), (fleet::MailState::GivenUp, 0));
    assert!(given_up.ended_at_ms > 0 && given_up.last_error.contains("550 5.1.1"), "{given_up:?}");
    let second = list(first.next_page_token.clone(), None).await?;
    let sent = second.mails.first().context("the other")?;
    assert_eq!((sent.recipient.as_str(), sent.state()), ("grace@example.org", fleet::MailState::Sent));
    assert_eq!(second.next_page_token, "");
    let of_state = list(String::new(), Some(fleet::MailState::Sent)).await?;
    assert_eq!(of_state.mails.len(), 1);
    assert!(list(String::new(), Some(fleet::MailState::Waiting)).await?.mails.is_empty());
    let other_list = list(first.next_page_token, Some(fleet::MailState::Sent)).await.map_err(|status| status.code());
    assert_eq!(other_list.err(), Some(Code::InvalidArgument), "a place in another list");
    let unspecified = list(String::new(), Some(fleet::MailState::Unspecified)).await.map_err(|status| status.code());
    assert_eq!(unspecified.err(), Some(Code::InvalidArgument));
    fixture.stop().await
}
