//! What a person changes of their account, takes along, or leaves.

use super::password::hashed;
use super::{Accounts, fields};
use crate::clock;
use crate::grpc::auth::{Somebody, Source};
use crate::grpc::status;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{AccountDeleted, AddressChanged};
use std::time::Duration;
use tonic::Status;

/// Who has no password must have signed in so lately to do what a password would be asked for.
const LATELY: Duration = Duration::from_secs(10 * 60);
/// Largest export, bytes.
const EXPORT_MAX_BYTES: usize = 16 * 1024 * 1024;

impl Accounts {
    /// Sets a password by the secret of a mail.
    pub(super) async fn set_by_mail(
        &self,
        source: Option<Source>,
        request: proto::ResetPasswordRequest,
        request_id: &str,
    ) -> Result<(), Status> {
        let mailed = fields::secret("secret", &request.secret)?;
        fields::new_password("new_password", &request.new_password, &[])?;
        // Nothing is hashed for whoever has no secret.
        let known =
            self.store.mailed_secret_look(SecretPurpose::ResetPassword, &mailed).await.map_err(status::store)?;
        known.ok_or_else(link_is_over)?;
        let password_hash = {
            let _turn = self.guard.turn(source).await?;
            hashed(request.new_password).await?
        };
        let account = self.store.password_reset(&mailed, &password_hash, request_id).await.map_err(status::store)?;
        self.outlet.wake();
        self.rights.changed(account.ok_or_else(link_is_over)?).await;
        Ok(())
    }

    /// Sets another password for somebody who knows the old one.
    pub(super) async fn set_another_password(
        &self,
        source: Option<Source>,
        somebody: &Somebody,
        request: proto::ChangePasswordRequest,
    ) -> Result<(), Status> {
        let person = somebody.person();
        fields::new_password("new_password", &request.new_password, &[&person.email, &person.name])?;
        self.prove(source, somebody, "current_password", &request.current_password).await?;
        let password_hash = {
            let _turn = self.guard.turn(source).await?;
            hashed(request.new_password).await?
        };
        let changed = self
            .store
            .password_change(&person.scope(), &somebody.actor(), &password_hash, self.outlet.is_configured())
            .await;
        changed.map_err(status::store)?;
        self.outlet.wake();
        self.rights.changed(person.account).await;
        Ok(())
    }

    /// Mails a link to another address.
    pub(super) async fn ask_for_address(
        &self,
        source: Option<Source>,
        somebody: &Somebody,
        request: proto::RequestAddressChangeRequest,
    ) -> Result<(), Status> {
        self.needs_mail()?;
        self.guard.may_ask(source)?;
        let email = fields::email("new_email", &request.new_email)?;
        self.prove(source, somebody, "password", &request.password).await?;
        let expires_at = clock::now() + SecretPurpose::ChangeAddress.lifetime();
        let asked = self.store.address_change_request(&somebody.person().scope(), email.as_str(), expires_at).await;
        asked.map_err(status::store)?;
        self.outlet.wake();
        Ok(())
    }

    /// Gives an account the address that a mail with this secret went to.
    pub(super) async fn set_address(&self, secret: &str, request_id: &str) -> Result<String, Status> {
        let mailed = fields::secret("secret", secret)?;
        match self.store.address_change_confirm(&mailed, request_id).await.map_err(status::store)? {
            AddressChanged::Yes { account, email } => {
                self.outlet.wake();
                self.rights.changed(account).await;
                Ok(email)
            }
            AddressChanged::NoSuchSecret => Err(link_is_over()),
            AddressChanged::Taken => {
                Err(Status::already_exists("this address has an account by now; choose another address"))
            }
        }
    }

    /// All that is kept of the person, as JSON.
    pub(super) async fn export(&self, somebody: &Somebody) -> Result<Vec<u8>, Status> {
        let export = self.store.account_export(&somebody.person().scope()).await.map_err(status::store)?;
        let export = export.ok_or_else(|| Status::unauthenticated("the account is gone"))?;
        let json = serde_json::to_vec_pretty(&export.document).unwrap_or_default();
        if json.len() > EXPORT_MAX_BYTES {
            return Err(Status::resource_exhausted(
                "there is more than 16 MB of you here; ask whoever runs this server for it",
            ));
        }
        Ok(json)
    }

    /// Deletes the account.
    pub(super) async fn delete(
        &self,
        source: Option<Source>,
        somebody: &Somebody,
        request: proto::DeleteAccountRequest,
    ) -> Result<(), Status> {
        let person = somebody.person();
        if request.email.trim().to_lowercase() != person.email.to_lowercase() {
            return Err(status::invalid("email", "must be the address of this account, as a sign that it is meant"));
        }
        self.prove(source, somebody, "password", &request.password).await?;
        let deleted = self.store.account_delete(&person.scope(), &somebody.actor(), self.outlet.is_configured()).await;
        match deleted.map_err(status::store)? {
            AccountDeleted::Yes => {
                self.outlet.wake();
                self.rights.changed(person.account).await;
                Ok(())
            }
            AccountDeleted::OnlyAdmin(organization) => Err(Status::failed_precondition(format!(
                "you are the only admin of {organization:?}; make somebody else one first"
            ))),
            AccountDeleted::OnlyOwner(home) => Err(Status::failed_precondition(format!(
                "you are the only owner of the home {home:?}; make somebody else one first"
            ))),
        }
    }

    /// Whether it is the person: by having signed in lately, or else as [`Self::prove`] says.
    pub(crate) async fn prove_unless_lately(
        &self,
        source: Option<Source>,
        somebody: &Somebody,
        field: &str,
        password: &str,
    ) -> Result<(), Status> {
        let age = clock::now().duration_since(somebody.person().signed_in_at).unwrap_or_default();
        if age <= LATELY { Ok(()) } else { self.prove(source, somebody, field, password).await }
    }

    /// Whether it is the person, and not somebody at their unlocked machine: by the password, or where there is none, by having signed in
    /// lately.
    async fn prove(
        &self,
        source: Option<Source>,
        somebody: &Somebody,
        field: &str,
        password: &str,
    ) -> Result<(), Status> {
        let person = somebody.person();
        if person.has_password {
            return self.check_own_password(source, somebody, field, password).await;
        }
        let age = clock::now().duration_since(person.signed_in_at).unwrap_or_default();
        if age > LATELY {
            return Err(Status::failed_precondition(
                "this account has no password, so you must have signed in within the last ten minutes; sign out and in again",
            ));
        }
        Ok(())
    }
}

fn link_is_over() -> Status {
    Status::not_found("secret: this link was used or is too old, or a newer one was asked for; ask for another mail")
}
