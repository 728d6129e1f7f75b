//! The listener for probes and metrics: loopback or inside the cluster, never for people.

use crate::listen::accept::{InRoom, accept};
use crate::metrics::Metrics;
use crate::sessions::authorities::Following;
use crate::tasks::Tasks;
use axum::extract::State;
use axum::routing::get;
use http::{StatusCode, header};
use kaliun_store::SystemStore;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;
use tower::ServiceExt;

/// Connections at once: probes of a machine or a cluster, and a scraper or two.
const CONNECTIONS_MAX: usize = 256;
/// Longest wait for the database when asked whether it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the answer for gRPC health checks is renewed.
const HEALTH_PERIOD: Duration = Duration::from_secs(5);

/// What probes ask about.
#[derive(Clone)]
pub(crate) struct Probes {
    pub(crate) store: SystemStore,
    pub(crate) metrics: Arc<Metrics>,
    /// How well this process follows the authorities.
    pub(crate) following: Arc<Following>,
    /// Set while the server ends its sessions.
    pub(crate) draining: Arc<AtomicBool>,
}

impl Probes {
    /// Whether this process can do its work.
    ///
    /// # Errors
    /// Why not.
    async fn ready(&self) -> Result<(), &'static str> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining: this process is about to stop\n");
        }
        if self.following.is_behind(Instant::now()) {
            return Err("authorities: this process cannot use what the database keeps of them; the log says why\n");
        }
        match tokio::time::timeout(PING_TIMEOUT, self.store.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err("the database does not answer\n"),
        }
    }
}

/// Starts the listener.
pub(crate) fn start(
    listener: TcpListener,
    probes: Probes,
    tasks: &Tasks,
) -> Result<(), tonic_reflection::server::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(kaliun_proto::DESCRIPTORS)
        .build_v1()?;
    let mut routes = Routes::builder();
    routes.add_service(health).add_service(reflection);
    let probe_routes = axum::Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(probes.clone());
    let router = probe_routes.fallback_service(routes.routes());
    tasks.spawn("grpc-health", report_health(reporter, probes, tasks.clone()));
    let connection_tasks = tasks.clone();
    let serve = move |stream, _source, room: InRoom| {
        let (router, tasks) = (router.clone(), connection_tasks.clone());
        async move {
            let answer = move |request| {
                let answered = router.clone().oneshot(request);
                async move {
                    match answered.await {
                        Ok(response) => response,
                        Err(infallible) => match infallible {},
                    }
                }
            };
            // A probe that goes away in the middle is nobody's concern.
            let _ended = crate::listen::http::serve(stream, tasks, answer).await;
            drop(room);
        }
    };
    tasks.spawn("internal-listener", accept(listener, tasks.clone(), CONNECTIONS_MAX, serve));
    Ok(())
}

async fn readyz(State(probes): State<Probes>) -> (StatusCode, &'static str) {
    match probes.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

async fn metrics(State(probes): State<Probes>) -> ([(header::HeaderName, &'static str); 1], String) {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], probes.metrics.text())
}

async fn report_health(reporter: HealthReporter, probes: Probes, tasks: Tasks) {
    let stopping = tasks.stopping();
    let mut ticks = tokio::time::interval(HEALTH_PERIOD);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stopping.cancelled() => return,
        }
        let status = match probes.ready().await {
            Ok(()) => tonic_health::ServingStatus::Serving,
            Err(_) => tonic_health::ServingStatus::NotServing,
        };
        reporter.set_service_status("", status).await;
    }
}
