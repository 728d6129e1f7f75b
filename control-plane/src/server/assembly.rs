//! Puts the parts of a server together.

use super::{ServerError, Sockets};
use crate::audit::sealer::News;
use crate::authority::Authority;
use crate::bootstrap;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::config::Config;
use crate::digest::random;
use crate::domain_proof::DomainProof;
use crate::ended_devices::JournalKeeping;
use crate::grpc;
use crate::grpc::account::{AccountParts, Accounts, SessionCookie};
use crate::grpc::auth::{PublicGate, device_gate};
use crate::grpc::claim_rule::ClaimRules;
use crate::grpc::domain::Domains;
use crate::grpc::enrollment::{Enrollments, MESSAGE_MAX_BYTES, Refusals, Waiting};
use crate::grpc::identity::Identities;
use crate::grpc::link::Links;
use crate::grpc::login::Logins;
use crate::grpc::page::PageSeal;
use crate::grpc::recovery::{self, Recoveries};
use crate::identity_providers::IdentityProviders;
use crate::limiter::Limiter;
use crate::listen::device::{DeviceListener, DeviceTls};
use crate::listen::internal::{self, Probes};
use crate::listen::public::PublicListener;
use crate::mail::{self, Outlet};
use crate::metrics::Metrics;
use crate::reconcile;
use crate::rights::Rights;
use crate::sessions::authorities;
use crate::sessions::ingest::Ingest;
use crate::sessions::opener::Opener;
use crate::sessions::registry::Registry;
use crate::sessions::renewals::Renewals;
use crate::sessions::stream::Shared;
use crate::sessions::sweeper::{self, Patience};
use crate::sign_in::{ProviderSignIn, SignInParts};
use crate::tasks::Tasks;
use crate::wakeups::{self, Waker};
use kaliun_proto::enrollment::v1::enrollment_service_server::EnrollmentServiceServer;
use kaliun_proto::enrollment::v1::recovery_service_server::RecoveryServiceServer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_store::Store;
use kaliun_types::id::ReplicaId;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tonic::service::Routes;

/// Enrolments from one source: a factory behind one address does 50 at once and 10 a second.
const ENROLL_BURST: u32 = 50;
const ENROLL_INTERVAL: Duration = Duration::from_millis(100);

/// What a running server is made of, and has to look after.
pub(super) struct Assembled {
    pub(super) shared: Arc<Shared>,
    pub(super) draining: Arc<AtomicBool>,
    pub(super) trust_hash: [u8; 32],
    pub(super) first_password: Option<String>,
}

/// What the configuration's files hold, found good before any socket was opened.
pub(super) struct Checked {
    pub(super) public_tls: Option<Arc<ServerConfig>>,
    pub(super) providers: IdentityProviders,
}

/// Starts all parts as tasks, as a replica of its own. When it fails, some may run, and it may be signed on: the caller ends both.
pub(super) async fn assemble(
    config: &Config,
    sockets: Sockets,
    checked: Checked,
    tasks: &Tasks,
    store: &Store,
    replica: ReplicaId,
    clock: Clock,
) -> Result<Assembled, ServerError> {
    let Checked { public_tls, providers } = checked;
    let addresses = sockets.addresses(config);
    let authority =
        Authority::open(store.system.clone(), &config.state_dir, &config.authority_key_file, clock.clone()).await?;
    let first_password = bootstrap::bootstrap(config, &store.system).await?;

    let metrics = Arc::new(Metrics::new());
    let changes = Changes::new();
    reconcile::take_over(&store.system, replica, &config.replica_name, &changes).await?;
    // From here on `ca rekey` sees this process. What it did before has to be seen now, not when the next change comes.
    if let Some(newer) = authority.newer().await? {
        authority.take_over(newer);
    }
    let incarnation = store.system.cluster_incarnation().await?;
    let seal = PageSeal::new(&store.system.page_token_key(random()).await?);

    let registry = Arc::new(Registry::default());
    let renewals =
        Renewals::start(tasks, store.system.clone(), authority.clone(), changes.clone(), Arc::clone(&metrics));
    let shared = Arc::new(Shared {
        registry: Arc::clone(&registry),
        opener: Opener::start(tasks, store.system.clone(), replica, changes.clone()),
        ingest: Ingest::start(tasks, store.system.clone(), changes.clone(), Arc::clone(&metrics)),
        renewals: renewals.clone(),
        metrics: Arc::clone(&metrics),
    });
    let patience = Patience::new(config.heartbeat_interval_ms);
    sweeper::start(tasks, Arc::clone(&registry), store.system.clone(), patience, clock.clone());

    let origins = origins(config, addresses.public);
    let public_url = origins.first().cloned().unwrap_or_default();
    let mail = mail::Sender::start(tasks, config.mail.as_ref(), &store.system, &public_url, &metrics)?;
    reconcile::keep_mails(tasks, &store.system, &metrics);
    let (waiting, decided) = Waiting::new();
    let rights = Rights::new(tasks.clone(), store.system.clone());
    let refusals = Refusals::new(!config.device_sources_hidden);
    let draining = Arc::new(AtomicBool::new(false));
    let audit_key = Arc::new(authority.audit_key().await?);
    let sealed = News::new();
    reconcile::seal_audit(tasks, &store.system, replica, &audit_key, &sealed, &config.state_dir);
    let journal = reconcile::keep_journal(tasks, &store.system, &config.state_dir, &metrics);
    let parts = Parts {
        tasks,
        store,
        changes: &changes,
        metrics: &metrics,
        authority: &authority,
        seal: &seal,
        clock: &clock,
        journal: &journal,
        sealed: &sealed,
        replica_name: &config.replica_name,
        public_url: &public_url,
        mail: &mail,
        settings_document: bootstrap::first_settings(config),
    };

    let tls = DeviceTls::new(authority.clone(), config.device_names())
        .map(Arc::new)
        .map_err(|error| ServerError::Device(Box::new(error)))?;
    let links = Links::new(Arc::clone(&shared), authority.clone(), patience, incarnation);
    let device = DeviceListener {
        tls: Arc::clone(&tls),
        routes: device_routes(
            &parts,
            links,
            waiting.clone(),
            public_url.clone(),
            !config.device_sources_hidden,
            refusals.clone(),
        ),
        balancers: config.device_balancers.clone(),
        sources_are_known: !config.device_sources_hidden,
        tasks: tasks.clone(),
        metrics: Arc::clone(&metrics),
    };
    let secure = public_tls.is_some() || origins.iter().all(|o| o.starts_with("https://"));
    let cookie = SessionCookie::new(secure);
    let sources_are_known = !config.behind_tls_proxy || !config.public_proxies.is_empty();
    let logins = Logins::new(store.gate.clone(), rights.clone(), public_url.clone());
    let accounts = Arc::new(Accounts::new(AccountParts {
        store: store.gate.clone(),
        seal: seal.clone(),
        rights: rights.clone(),
        cookie,
        sources_are_known,
        address: public_url.clone(),
        sign_up: config.sign_up,
        outlet: mail.clone(),
    }));
    let sign_in = Arc::new(ProviderSignIn::new(SignInParts {
        providers: providers.clone(),
        store: store.gate.clone(),
        rights: rights.clone(),
        session_cookie: cookie,
        secure,
        origins: origins.clone(),
        sign_up: config.sign_up,
    }));
    let from_elsewhere = FromElsewhere {
        identities: Identities {
            store: store.gate.clone(),
            accounts: Arc::clone(&accounts),
            sign_in: Arc::clone(&sign_in),
        },
        domains: Domains::new(store.app.clone(), store.system.clone(), DomainProof::new(config.dns_servers.clone())),
        claim_rules: ClaimRules { store: store.app.clone(), system: store.system.clone(), providers },
    };
    let public = PublicListener {
        tls: public_tls,
        services: public_routes(
            &parts,
            Waker::new(tasks.clone(), store.system.clone(), Arc::clone(&registry)),
            waiting.clone(),
            &rights,
            accounts,
            logins,
            from_elsewhere,
        ),
        sign_in,
        gate: Arc::new(PublicGate::new(store.gate.clone(), cookie.name)),
        origins,
        sources_are_known,
        proxies: config.public_proxies.clone(),
        tasks: tasks.clone(),
    };
    reconcile::start(tasks, &store.system, replica, &config.replica_name, &changes, waiting.clone());
    reconcile::count_refusals(tasks, &store.system, refusals);
    reconcile::forget_of_accounts(tasks, &store.system);
    reconcile::start_certificates(tasks, &authority, &store.system, &metrics);
    wakeups::start(tasks, store.wakeups.clone(), store.system.clone(), Arc::clone(&registry), waiting, rights);
    wakeups::tell_decisions(tasks, store.system.clone(), decided);
    let following = authorities::follow(tasks, &authority, tls, Arc::clone(&registry), renewals);
    device.start(sockets.device);
    public.start(sockets.public);
    let probes = Probes { store: store.system.clone(), metrics, following, draining: Arc::clone(&draining) };
    internal::start(sockets.internal, probes, tasks)?;
    if config.device_sources_hidden {
        tracing::warn!(
            "device_sources_hidden is set: nothing is limited by source for boxes; list device_balancers instead"
        );
    }
    if !sources_are_known {
        tracing::warn!(
            "behind_tls_proxy is set without public_proxies: nothing is limited by source for people; list the proxies"
        );
    }
    Ok(Assembled { shared, draining, trust_hash: authority.current().trust_hash(), first_password })
}

/// The origins of our own pages. On loopback people type either name of it.
fn origins(config: &Config, public: SocketAddr) -> Vec<String> {
    let scheme = if config.public_tls.is_some() { "https" } else { "http" };
    let mut origins = Vec::new();
    if let Some(url) = &config.public_url
        && url.starts_with("https://")
        && config.public_tls.is_none()
    {
        // A proxy in front does TLS: whoever comes past it is not one of our pages.
        return vec![url.trim_end_matches('/').to_owned()];
    }
    if let Some(url) = &config.public_url {
        origins.push(url.trim_end_matches('/').to_owned());
    }
    if config.public_url.is_none() || public.ip().is_loopback() {
        let port = public.port();
        for host in [public.ip().to_string(), "127.0.0.1".to_owned(), "localhost".to_owned()] {
            let origin = format!("{scheme}://{host}:{port}");
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
    }
    origins
}

/// What the services are made of.
struct Parts<'a> {
    tasks: &'a Tasks,
    store: &'a Store,
    changes: &'a Changes,
    metrics: &'a Arc<Metrics>,
    authority: &'a Authority,
    seal: &'a PageSeal,
    clock: &'a Clock,
    journal: &'a Arc<JournalKeeping>,
    sealed: &'a News,
    replica_name: &'a str,
    /// Where the web pages of this server are.
    public_url: &'a str,
    mail: &'a Outlet,
    /// What boxes of a new organization shall report.
    settings_document: Vec<u8>,
}

fn device_routes(
    parts: &Parts<'_>,
    links: Links,
    waiting: Waiting,
    public_url: String,
    sources_are_known: bool,
    refusals: Refusals,
) -> axum::Router {
    let enrollments = Enrollments::new(
        parts.store.system.clone(),
        parts.authority.clone(),
        waiting,
        parts.changes.clone(),
        Arc::clone(parts.metrics),
        parts.tasks.clone(),
        public_url,
        sources_are_known.then(|| Limiter::new(ENROLL_BURST, ENROLL_INTERVAL)),
        refusals.clone(),
    );
    let recoveries = Recoveries {
        inner: Arc::new(recovery::Inner {
            store: parts.store.system.clone(),
            authority: parts.authority.clone(),
            changes: parts.changes.clone(),
            metrics: Arc::clone(parts.metrics),
            tasks: parts.tasks.clone(),
            by_source: sources_are_known.then(|| Limiter::new(ENROLL_BURST, ENROLL_INTERVAL)),
            refusals,
        }),
    };
    let mut routes = Routes::builder();
    routes
        .add_service(EnrollmentServiceServer::new(enrollments).max_decoding_message_size(MESSAGE_MAX_BYTES))
        .add_service(RecoveryServiceServer::new(recoveries).max_decoding_message_size(MESSAGE_MAX_BYTES))
        .add_service(links);
    routes.routes().into_axum_router().layer(axum::middleware::from_fn(device_gate))
}

/// The services about people who come from other people's identity providers.
struct FromElsewhere {
    identities: Identities,
    domains: Domains,
    claim_rules: ClaimRules,
}

fn public_routes(
    parts: &Parts<'_>,
    waker: Waker,
    waiting: Waiting,
    rights: &Rights,
    accounts: Arc<Accounts>,
    logins: Logins,
    from_elsewhere: FromElsewhere,
) -> axum::Router {
    let Store { app, system, gate, wakeups: _ } = parts.store;
    let changes = parts.changes;
    let FromElsewhere { identities, domains, claim_rules } = from_elsewhere;
    let mut routes = Routes::builder();
    routes
        .add_service(fleet::server_service_server::ServerServiceServer::new(grpc::server_version::ServerVersions))
        .add_service(fleet::account_service_server::AccountServiceServer::from_arc(accounts))
        .add_service(fleet::identity_service_server::IdentityServiceServer::new(identities))
        .add_service(fleet::domain_service_server::DomainServiceServer::new(domains))
        .add_service(fleet::claim_rule_service_server::ClaimRuleServiceServer::new(claim_rules))
        .add_service(fleet::login_service_server::LoginServiceServer::new(logins))
        .add_service(fleet::mail_service_server::MailServiceServer::new(grpc::mails::Mails {
            store: system.clone(),
            seal: parts.seal.clone(),
        }))
        .add_service(fleet::sign_up_service_server::SignUpServiceServer::new(grpc::sign_up::SignUps {
            store: system.clone(),
            seal: parts.seal.clone(),
        }))
        .add_service(fleet::organization_service_server::OrganizationServiceServer::new(
            grpc::organization::Organizations {
                store: system.clone(),
                seal: parts.seal.clone(),
                rights: rights.clone(),
                settings_document: parts.settings_document.clone(),
            },
        ))
        .add_service(fleet::invitation_service_server::InvitationServiceServer::new(grpc::invitation::Invitations {
            store: system.clone(),
            seal: parts.seal.clone(),
            rights: rights.clone(),
            mail: parts.mail.clone(),
            public_url: parts.public_url.to_owned(),
        }))
        .add_service(fleet::consent_service_server::ConsentServiceServer::new(grpc::consent::Consents {
            store: system.clone(),
            seal: parts.seal.clone(),
            rights: rights.clone(),
            mail: parts.mail.clone(),
        }))
        .add_service(fleet::device_service_server::DeviceServiceServer::new(grpc::device::Devices {
            store: app.clone(),
            seal: parts.seal.clone(),
            waker: waker.clone(),
            changes: changes.clone(),
            clock: parts.clock.clone(),
        }))
        .add_service(fleet::lifecycle_service_server::LifecycleServiceServer::new(grpc::lifecycle::Lifecycles {
            store: app.clone(),
            system: system.clone(),
            waker,
            changes: changes.clone(),
        }))
        .add_service(fleet::certificate_service_server::CertificateServiceServer::new(
            grpc::certificate::Certificates { store: app.clone(), seal: parts.seal.clone() },
        ))
        .add_service(fleet::posture_service_server::PostureServiceServer::new(grpc::posture::Postures {
            store: app.clone(),
            system: system.clone(),
            authority: parts.authority.clone(),
            seal: parts.seal.clone(),
            journal: Arc::clone(parts.journal),
            replica_name: parts.replica_name.to_owned(),
        }))
        .add_service(fleet::watch_service_server::WatchServiceServer::new(grpc::watch::Watches::new(
            app.clone(),
            gate.clone(),
            parts.seal.clone(),
            changes.clone(),
            rights.clone(),
            parts.tasks.clone(),
        )))
        .add_service(fleet::claim_service_server::ClaimServiceServer::new(grpc::claim::Claims::new(
            system.clone(),
            parts.authority.clone(),
            waiting.clone(),
            changes.clone(),
        )))
        .add_service(fleet::enrollment_service_server::EnrollmentServiceServer::new(grpc::admission::Admissions {
            store: app.clone(),
            system: system.clone(),
            authority: parts.authority.clone(),
            waiting: waiting.clone(),
            changes: changes.clone(),
            seal: parts.seal.clone(),
        }))
        .add_service(fleet::join_token_service_server::JoinTokenServiceServer::new(grpc::join_token::JoinTokens {
            store: app.clone(),
            seal: parts.seal.clone(),
            trust_hash: parts.authority.current().trust_hash(),
        }))
        .add_service(fleet::api_token_service_server::ApiTokenServiceServer::new(grpc::api_token::ApiTokens {
            store: app.clone(),
            seal: parts.seal.clone(),
            rights: rights.clone(),
        }))
        .add_service(fleet::authority_service_server::AuthorityServiceServer::new(grpc::authority::Authorities {
            authority: parts.authority.clone(),
            system: system.clone(),
            seal: parts.seal.clone(),
        }))
        .add_service(fleet::installation_service_server::InstallationServiceServer::new(
            grpc::installation::Installations {
                store: app.clone(),
                system: system.clone(),
                seal: parts.seal.clone(),
                changes: changes.clone(),
                rights: rights.clone(),
            },
        ))
        .add_service(fleet::audit_service_server::AuditServiceServer::new(grpc::audit::Audits::new(
            app.clone(),
            gate.clone(),
            parts.seal.clone(),
            parts.sealed.clone(),
            parts.tasks.clone(),
        )))
        .add_service(fleet::history_service_server::HistoryServiceServer::new(grpc::history::History {
            store: app.clone(),
            seal: parts.seal.clone(),
        }));
    routes.routes().into_axum_router()
}
