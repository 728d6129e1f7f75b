//! Asking for an account, and getting it.

use super::identity::identity;
use super::password::{fits, hashed};
use super::sign_in::Opening;
use super::{Accounts, SessionCookie, SignUpPolicy, fields, source_text};
use crate::clock;
use crate::digest::sha256;
use crate::grpc::auth::Source;
use crate::grpc::status;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{ConfirmedBy, NewSignUp, SignUpConfirmed};
use std::time::Duration;
use tonic::Status;

/// How long somebody has for the mail, and an admin of a server without mail for the yes.
const BY_ADMIN_LIFETIME: Duration = Duration::from_secs(14 * 24 * 3600);

impl Accounts {
    /// Notes that somebody wants an account. What is answered does not depend on whether the address has one.
    pub(super) async fn ask_for_account(
        &self,
        source: Option<Source>,
        request: proto::SignUpRequest,
    ) -> Result<proto::SignUpStep, Status> {
        self.guard.may_ask(source)?;
        let email = fields::email("email", &request.email)?;
        let name = fields::name("name", &request.name)?;
        fields::new_password("password", &request.password, &[email.as_str(), name])?;
        if self.sign_up == SignUpPolicy::Invited {
            self.check_invitation(&request.invitation_secret).await?;
        }
        let password_hash = {
            let _turn = self.guard.turn(source).await?;
            hashed(request.password).await?
        };
        let (by, next, lifetime) = match self.outlet.is_configured() {
            true => (ConfirmedBy::Mail, proto::SignUpStep::Mail, SecretPurpose::ConfirmAddress.lifetime()),
            false => (ConfirmedBy::Admin, proto::SignUpStep::Admin, BY_ADMIN_LIFETIME),
        };
        let source_address = source_text(source);
        let new = NewSignUp {
            email: email.as_str(),
            name,
            password_hash: &password_hash,
            source_address: &source_address,
            expires_at: clock::now() + lifetime,
        };
        self.store.sign_up_insert(&new, by).await.map_err(status::store)?;
        self.outlet.wake();
        Ok(next)
    }

    /// Makes the account of somebody who read the mail and knows the password, and opens a session. Answers the cookie's secret, too.
    pub(super) async fn confirm(
        &self,
        opening: Opening,
        request: proto::ConfirmSignUpRequest,
    ) -> Result<(proto::Identity, String), Status> {
        let password = fields::given_password("password", &request.password)?.to_owned();
        let mailed = fields::secret("secret", &request.secret)?;
        let found = self.store.sign_up_by_secret(&mailed).await.map_err(status::store)?;
        let (_, email, hash) = found.ok_or_else(link_is_over)?;
        let attempt = self.guard.begin(opening.source, &email).await?;
        if !fits(password, Some(hash)).await? {
            attempt.failed();
            return Err(status::invalid(
                "password",
                "is not the one that was chosen when signing up; if you did not sign up yourself, leave the mail alone",
            ));
        }
        let secret = SessionCookie::secret();
        let (secret_hash, source) = (sha256(secret.as_bytes()), source_text(opening.source));
        let session = opening.session(&secret_hash, &source);
        let confirmed = self.store.sign_up_confirm(&mailed, &session, &opening.request_id).await;
        match confirmed.map_err(status::store)? {
            (SignUpConfirmed::Account(_), Some(signed_in)) => Ok((identity(&signed_in), secret)),
            (SignUpConfirmed::AddressTaken, _) => {
                Err(Status::already_exists("this address has an account by now; sign in with its password"))
            }
            (SignUpConfirmed::NoSuchSignUp | SignUpConfirmed::Account(_), _) => Err(link_is_over()),
        }
    }

    async fn check_invitation(&self, secret: &str) -> Result<(), Status> {
        let refused = || {
            Status::permission_denied(
                "this server takes new accounts by invitation only; open the link of your invitation, or ask for one",
            )
        };
        if secret.is_empty() {
            return Err(refused());
        }
        let hash = fields::secret("invitation_secret", secret)?;
        let invited = self.store.mailed_secret_look(SecretPurpose::Invitation, &hash).await.map_err(status::store)?;
        invited.map(|_| ()).ok_or_else(refused)
    }
}

fn link_is_over() -> Status {
    Status::not_found(
        "secret: this link was used, or is older than a day; sign up once more, or sign in if you have done so",
    )
}
