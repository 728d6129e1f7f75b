//! Logs to standard error, and traces by OTLP where configured.

use crate::config::Config;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::IsTerminal;
use thiserror::Error;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Logging cannot be set up as configured.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is none.
    #[error("log: {0}; it must be like info or kaliun_control_plane=debug,info")]
    Filter(#[from] ParseError),
    /// The exporter cannot be made.
    #[error("otlp_endpoint: traces cannot be sent there; it must be like http://127.0.0.1:4317")]
    Exporter(#[from] ExporterBuildError),
    /// It is set up already.
    #[error("logging is set up already")]
    Twice(#[from] TryInitError),
}

/// Sends what is left of the traces when it is dropped.
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Sets logging up for the whole process.
///
/// # Errors
/// See [`TelemetryError`].
pub fn start(config: &Config) -> Result<Telemetry, TelemetryError> {
    let provider = match &config.otlp_endpoint {
        Some(endpoint) => {
            let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
            let resource = Resource::builder().with_service_name("kaliun-control-plane").build();
            Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
        }
        None => None,
    };
    let traces =
        provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("control-plane")));
    let lines = if config.log_json {
        fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed()
    } else {
        fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed()
    };
    tracing_subscriber::registry().with(EnvFilter::try_new(&config.log)?).with(lines).with(traces).try_init()?;
    Ok(Telemetry { provider })
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider {
            // Nothing can be done about traces that nobody takes.
            let _unsent = provider.shutdown();
        }
    }
}
