//! Calls about the server and who is at the keyboard.

use super::Caller;
use crate::tenants::answer::Answer;
use crate::tenants::handles::Handles;
use crate::tenants::page;
use crate::tenants::tenant::PASSWORD;
use anyhow::Result;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use kaliun_proto::fleet::v1::server_service_client::ServerServiceClient;
use tonic::{Code, Status};

impl Caller<'_> {
    fn accounts(&self) -> AccountServiceClient<tonic::transport::Channel> {
        AccountServiceClient::new(self.channel.clone())
    }

    pub(super) async fn get_version(&self) -> Answer {
        let mut client = ServerServiceClient::new(self.channel.clone());
        let outcome = client.get_version(self.request(fleet::GetVersionRequest {})).await;
        Answer::unary("the version", outcome, |answer| answer.version.clone()).same_for_the_owner()
    }

    /// Who has no right password must not learn whether there is such an account.
    pub(super) async fn sign_in(&self, handles: &Handles) -> Result<Answer> {
        let password = if handles.email == self.tenant.handles.email { PASSWORD } else { "wrong horse" };
        let answer = page::sign_in(self.public, &handles.email, password).await?;
        let outcome = match answer.code {
            Some(0) => Ok(answer.whole),
            Some(code) => Err(Status::new(Code::from_i32(i32::try_from(code)?), answer.message)),
            None => anyhow::bail!("no answer: {answer:?}"),
        };
        Ok(Answer::new("by address", outcome, |_| "signed in".to_owned()))
    }

    pub(super) async fn sign_out(&self) -> Answer {
        let outcome = self.accounts().sign_out(self.request(fleet::SignOutRequest {})).await;
        Answer::unary("without a session", outcome, |_| String::new()).same_for_the_owner()
    }

    pub(super) async fn who_am_i(&self) -> Answer {
        let outcome = self.accounts().who_am_i(self.request(fleet::WhoAmIRequest {})).await;
        let name = |answer: &fleet::WhoAmIResponse| answer.identity.clone().unwrap_or_default().organization_name;
        let answer = Answer::unary("who", outcome, name).same_for_the_owner();
        assert_eq!(answer.essence, Ok(format!("{} homes", self.tenant.word)));
        answer
    }
}
