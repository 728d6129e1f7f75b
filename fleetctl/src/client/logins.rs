//! Calls of a machine that wants to be signed in.

use super::Client;
use crate::failure::Failure;
use kaliun_proto::fleet::v1::login_service_client::LoginServiceClient;
use kaliun_proto::fleet::v1::{PollLoginRequest, PollLoginResponse, StartLoginRequest, StartLoginResponse};
use kaliun_types::secret::SecretText;

impl Client {
    /// Asks for a code that a person enters in a browser.
    pub(crate) async fn login_start(&self, client_text: String) -> Result<StartLoginResponse, Failure> {
        let mut client = LoginServiceClient::new(self.channel());
        let message = StartLoginRequest { client: client_text };
        self.call("begin to sign in", message, |request| client.start_login(request)).await
    }

    /// Asks whether the person has decided.
    pub(crate) async fn login_poll(&self, device_code: &SecretText) -> Result<PollLoginResponse, Failure> {
        let mut client = LoginServiceClient::new(self.channel());
        let message = PollLoginRequest { device_code: device_code.expose().to_owned() };
        self.call("ask whether you are signed in", message, |request| client.poll_login(request)).await
    }
}
