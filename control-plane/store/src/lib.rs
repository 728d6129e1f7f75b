//! The only crate that speaks to Postgres.
//!
//! Every function that touches a tenant's rows takes an [`OrganizationScope`], which only a successful authentication makes,
//! and runs in a transaction as the role `kaliun_app` with the organization set, so that row-level security is the second
//! wall. Functions of [`SystemStore`] run as `kaliun_system`: authentication, ingest and reconcilers.

mod account_sessions;
mod accounts;
mod admissions;
mod api_tokens;
mod audit;
mod audit_chain;
mod authorities;
mod authority_keys;
mod certificate_history;
mod certificates;
mod claims;
mod connection;
mod consents;
mod device_identity;
mod devices;
mod ended_devices;
mod enrollment_refusals;
mod enrollments;
mod error;
mod events;
mod holds;
mod home_people;
mod ingest;
mod installations;
mod invitations;
mod join_tokens;
mod lifecycle;
mod logins;
mod mailed_secrets;
mod mails;
mod memberships;
mod migrate;
mod my_organizations;
mod open;
mod organizations;
mod page_token_key;
mod pool;
mod posture;
mod replicas;
mod returned_devices;
mod rotation;
mod samples;
mod scope;
mod sessions;
mod shown_certificates;
mod sign_ups;
mod signed_in;
mod unsigned_bundle;
mod url;
mod wakeups;

pub use account_sessions::{NewSession, SessionKind, SessionRow};
pub use accounts::{AccountDeleted, AccountExport, AccountLogin, AddressChanged};
pub use admissions::{ByToken, WaitingRow};
pub use api_tokens::NewApiToken;
pub use audit::{Actor, ActorKind};
pub use audit_chain::{
    AuditFilter, AuditKeyRow, AuditPage, AuditPosition, AuditStart, AuditTail, ChainHead, CutDue, SealedEntry,
    TakenChain,
};
pub use authorities::{AuthorityRow, AuthorityRows, TrustBundleRow};
pub use authority_keys::KeysKept;
pub use certificates::{CertificateGrant, SERIAL_BYTES};
pub use claims::{ClaimChecked, ClaimRow, NewClaim};
pub use consents::{ConsentDecided, ConsentEnded, ConsentRequested, ConsentRow, ConsentsSeen, NewConsent};
pub use device_identity::{BootKept, KeyReuse};
pub use devices::{DeviceChange, DeviceFilter, DeviceOrder, DevicePosition};
pub use ended_devices::{DatabaseRestored, EndedDevice};
pub use enrollment_refusals::EnrollmentRefusals;
pub use enrollments::{Approval, Enrolled, EnrollmentRow, NewDevice, NotApproved};
pub use error::StoreError;
pub use home_people::{HomePersonChanged, HomePersonRow, OwnerlessHome};
pub use ingest::{EventItem, EventWrite, FactsWrite, SampleItem, SampleWrite, Stored};
pub use installations::{InstallationChange, InstallationDeleted, InstallationRow};
pub use invitations::{HandedOver, InvitationAccepted, InvitationLookedUp, InvitationRow, Invited, NewInvitation};
pub use join_tokens::NewJoinToken;
pub use lifecycle::Replaced;
pub use logins::{LOGIN_LIFETIME, LoginPolled, LoginRow, NewLogin, NewTokens, Refreshed};
pub use mails::{ClaimedMail, MailBacklog, MailRow, NewMail};
pub use memberships::{MemberChanged, MemberRow};
pub use migrate::{MigrateError, migrate};
pub use my_organizations::{MyOrganization, NewOrganization, OrganizationMade};
pub use open::{DatabaseAccess, OpenError};
pub use organizations::FirstStart;
pub use page_token_key::PageTokenKey;
pub use pool::{AppStore, Store, SystemStore};
pub use posture::FindingPage;
pub use returned_devices::Readopted;
pub use rotation::{Author, RotationChange, StragglerRow};
pub use samples::SampleRow;
pub use scope::{AccountScope, OrganizationScope};
pub use sessions::{SessionEnd, SessionOpen, SessionOpened};
pub use sign_ups::{ConfirmedBy, NewSignUp, SignUpConfirmed, SignUpRow};
pub use signed_in::{Granted, Person, Place, Principal, SignedIn};
pub use unsigned_bundle::{UnsignedBundle, WaitingStep};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};
pub use wakeups::{WakeupSource, Wakeups};
