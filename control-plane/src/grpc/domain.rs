//! Domains of organizations, for their admins.

use super::auth::Caller;
use super::convert::role::{role_from_proto, role_to_proto};
use super::status;
use crate::clock;
use crate::digest::random;
use crate::domain_proof::{DomainProof, record_text};
use crate::limiter::Limiter;
use data_encoding::BASE64URL_NOPAD;
use kaliun_domain::domain_name::DomainName;
use kaliun_domain::role::Role;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::domain_service_server::DomainService;
use kaliun_store::{AppStore, DomainRow, DomainVerified, SystemStore};
use kaliun_types::id::OrganizationId;
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status};

/// Looks at records that one organization may cause: all of its domains once more, and then one each ten seconds.
const LOOKS_BURST: u32 = 50;
const LOOKS_INTERVAL: Duration = Duration::from_secs(10);

/// Notes domains, and looks whether they show whose they are.
pub(crate) struct Domains {
    store: AppStore,
    system: SystemStore,
    proof: DomainProof,
    looks: Limiter<OrganizationId>,
}

impl Domains {
    pub(crate) fn new(store: AppStore, system: SystemStore, proof: DomainProof) -> Self {
        Self { store, system, proof, looks: Limiter::new(LOOKS_BURST, LOOKS_INTERVAL) }
    }
}

#[tonic::async_trait]
impl DomainService for Domains {
    async fn create_domain(
        &self,
        request: Request<proto::CreateDomainRequest>,
    ) -> Result<Response<proto::CreateDomainResponse>, Status> {
        let caller = Caller::of(&request)?;
        let domain = domain("name", &request.get_ref().name)?;
        let role = role_from_proto(request.get_ref().role)?;
        if role == Role::Admin {
            return Err(status::invalid(
                "role",
                "must be viewer, support or operator: nobody becomes an admin by an address alone; make somebody one by hand",
            ));
        }
        let word = BASE64URL_NOPAD.encode(&random::<24>());
        let made = self.system.organization_domain_insert(caller.scope(), &caller.actor(), &domain, &word, role).await;
        let domain = Some(to_proto(made.map_err(status::store)?));
        Ok(Response::new(proto::CreateDomainResponse { domain }))
    }

    async fn list_domains(
        &self,
        request: Request<proto::ListDomainsRequest>,
    ) -> Result<Response<proto::ListDomainsResponse>, Status> {
        let rows = self.store.organization_domain_list(Caller::of(&request)?.scope()).await.map_err(status::store)?;
        Ok(Response::new(proto::ListDomainsResponse { domains: rows.into_iter().map(to_proto).collect() }))
    }

    async fn verify_domain(
        &self,
        request: Request<proto::VerifyDomainRequest>,
    ) -> Result<Response<proto::VerifyDomainResponse>, Status> {
        let caller = Caller::of(&request)?;
        let domain = domain("name", &request.get_ref().name)?;
        let known = self.store.organization_domain_list(caller.scope()).await.map_err(status::store)?;
        let row = known.into_iter().find(|row| row.domain == domain.as_str()).ok_or_else(no_such_domain)?;
        self.looks.take(&caller.scope().organization(), Instant::now()).map_err(status::too_often)?;
        let shown = self.proof.is_shown(&domain, &row.word).await.map_err(|error| {
            tracing::info!(%domain, error = &error as &dyn std::error::Error, "a domain's record could not be looked up");
            Status::unavailable(format!("{} could not be looked up; try again in a minute", domain.proof_name()))
        })?;
        if !shown {
            return Err(Status::failed_precondition(format!(
                "{} has no TXT record that says {}; make one where the domain's names are kept, wait until it is seen everywhere \
                 (some minutes), and try again",
                domain.proof_name(),
                record_text(&row.word)
            )));
        }
        let verified = self.system.organization_domain_verify(caller.scope(), &caller.actor(), &domain).await;
        let row = verified_row(verified.map_err(status::store)?)?;
        Ok(Response::new(proto::VerifyDomainResponse { domain: Some(to_proto(row)) }))
    }

    async fn confirm_domain(
        &self,
        request: Request<proto::ConfirmDomainRequest>,
    ) -> Result<Response<proto::ConfirmDomainResponse>, Status> {
        let caller = Caller::of(&request)?;
        let organization = &request.get_ref().organization_id;
        let organization = organization.parse().map_err(|error| status::invalid("organization_id", error))?;
        let domain = domain("name", &request.get_ref().name)?;
        let confirmed =
            self.system.organization_domain_confirm(caller.scope(), &caller.actor(), organization, &domain).await;
        verified_row(confirmed.map_err(status::store)?)?;
        Ok(Response::new(proto::ConfirmDomainResponse {}))
    }

    async fn delete_domain(
        &self,
        request: Request<proto::DeleteDomainRequest>,
    ) -> Result<Response<proto::DeleteDomainResponse>, Status> {
        let caller = Caller::of(&request)?;
        let domain = domain("name", &request.get_ref().name)?;
        let deleted = self.system.organization_domain_delete(caller.scope(), &caller.actor(), &domain).await;
        if deleted.map_err(status::store)? {
            Ok(Response::new(proto::DeleteDomainResponse {}))
        } else {
            Err(no_such_domain())
        }
    }
}

fn domain(field: &str, text: &str) -> Result<DomainName, Status> {
    DomainName::parse(text).map_err(|error| status::invalid(field, error))
}

fn no_such_domain() -> Status {
    status::not_found("domain of the organization")
}

fn verified_row(verified: DomainVerified) -> Result<DomainRow, Status> {
    match verified {
        DomainVerified::Yes(row) => Ok(row),
        DomainVerified::NoSuchDomain => Err(no_such_domain()),
        DomainVerified::OfAnother => Err(Status::failed_precondition(
            "this domain is verified for another organization of this server; ask whoever runs the server, or that organization to give it up",
        )),
    }
}

fn to_proto(row: DomainRow) -> proto::Domain {
    let record_name = DomainName::parse(&row.domain).map(|domain| domain.proof_name()).unwrap_or_default();
    let (verified_at_ms, verified_by) = match row.verified {
        Some((at, by)) => (clock::to_ms(at), by),
        None => (0, String::new()),
    };
    proto::Domain {
        role: role_to_proto(row.role).into(),
        record_name,
        record_text: record_text(&row.word),
        verified_at_ms,
        verified_by,
        created_at_ms: clock::to_ms(row.created_at),
        name: row.domain,
    }
}
