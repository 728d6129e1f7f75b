//! Asks Home Assistant how it is, over plain HTTP on the box's own network.
//!
//! With a token `/api/core/state` says whether it is RUNNING; an HTTP 200 alone is not "online", for the web server comes up
//! before the rest. Without one, `/manifest.json` says that something like it is there.

use super::Observation;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kaliun_types::secret::SecretText;
use serde::Deserialize;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;

/// Longest time for one request: on the box's own network an answer takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer read, bytes: `/api/config` with hundreds of components takes some ten kB.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// Port of Home Assistant when the address names none.
const PORT_DEFAULT: u16 = 80;

/// Where Home Assistant is and how to ask it.
#[derive(Debug, Clone)]
pub struct HomeAssistantAddress {
    host: String,
    port: u16,
    token: Option<SecretText>,
    /// The version changes only with a restart, so it is asked for once after each start.
    version: Option<String>,
}

/// The text is no address for this.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not the address of a Home Assistant: expected http://HOST[:PORT] and nothing behind it")]
pub struct InvalidHomeAssistantAddress {
    text: String,
}

#[derive(Debug, Error)]
enum ProbeError {
    #[error("nobody listens at its address")]
    Connect(#[source] std::io::Error),
    #[error("it ended the connection")]
    Http(#[source] hyper::Error),
    #[error("its answer cannot be read")]
    Body,
    #[error("it did not answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
}

#[derive(Deserialize)]
struct CoreState {
    state: String,
}

#[derive(Deserialize)]
struct CoreConfig {
    version: String,
}

impl HomeAssistantAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// It is not `http://HOST[:PORT]`.
    pub fn parse(text: &str, token: Option<SecretText>) -> Result<Self, InvalidHomeAssistantAddress> {
        let invalid = || InvalidHomeAssistantAddress { text: text.to_owned() };
        let uri: Uri = text.trim().parse().map_err(|_| invalid())?;
        let is_plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if !is_plain || host.is_empty() {
            return Err(invalid());
        }
        Ok(Self { host, port: uri.port_u16().unwrap_or(PORT_DEFAULT), token, version: None })
    }

    /// Asks once.
    pub async fn probe(&mut self) -> Observation {
        let observation = match self.token.clone() {
            None => self.probe_openly().await,
            Some(token) => self.probe_with(&token).await,
        };
        let observation = observation.unwrap_or_else(|error| Observation::Unreachable {
            message: format!("Home Assistant does not answer: {error}."),
        });
        if !matches!(observation, Observation::Running { .. }) {
            self.version = None;
        }
        observation
    }

    async fn probe_openly(&self) -> Result<Observation, ProbeError> {
        let (status, _) = self.get("/manifest.json", None).await?;
        Ok(if status == StatusCode::OK { Observation::Unverified } else { strange(status) })
    }

    async fn probe_with(&mut self, token: &SecretText) -> Result<Observation, ProbeError> {
        let (status, body) = self.get("/api/core/state", Some(token)).await?;
        match status {
            StatusCode::OK => {}
            // The token ended, which says nothing about Home Assistant.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Ok(Observation::Unverified),
            // While it starts, its web server answers before its API is there.
            StatusCode::NOT_FOUND => return self.probe_openly().await,
            other => return Ok(strange(other)),
        }
        let core: CoreState = serde_json::from_slice(&body).map_err(|_| ProbeError::Body)?;
        if core.state != "RUNNING" {
            return Ok(Observation::Starting);
        }
        if self.version.is_none() {
            let (status, body) = self.get("/api/config", Some(token)).await?;
            self.version = (status == StatusCode::OK)
                .then(|| serde_json::from_slice::<CoreConfig>(&body).ok())
                .flatten()
                .map(|config| config.version);
        }
        Ok(Observation::Running { version: self.version.clone().unwrap_or_default() })
    }

    async fn get(&self, path: &str, token: Option<&SecretText>) -> Result<(StatusCode, Bytes), ProbeError> {
        tokio::time::timeout(TIMEOUT, self.get_unbounded(path, token)).await.unwrap_or(Err(ProbeError::TimedOut))
    }

    async fn get_unbounded(&self, path: &str, token: Option<&SecretText>) -> Result<(StatusCode, Bytes), ProbeError> {
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(ProbeError::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(ProbeError::Http)?;
        let mut request = Request::get(path)
            .header(http::header::HOST, self.host_header())
            .header(http::header::USER_AGENT, concat!("kaliun-edge/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = token {
            request = request.header(http::header::AUTHORIZATION, format!("Bearer {}", token.expose().trim()));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| ProbeError::Body)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(ProbeError::Http)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES).collect().await;
            Ok((status, body.map_err(|_| ProbeError::Body)?.to_bytes()))
        };
        let mut connection = std::pin::pin!(connection);
        let mut exchange = std::pin::pin!(exchange);
        // The connection is driven here, in the same task, until the answer is in.
        tokio::select! {
            answer = &mut exchange => answer,
            ended = &mut connection => match ended {
                Ok(()) => exchange.await,
                Err(error) => Err(ProbeError::Http(error)),
            },
        }
    }

    fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

fn strange(status: StatusCode) -> Observation {
    Observation::Unreachable { message: format!("It answers with HTTP status {}.", status.as_u16()) }
}

#[cfg(test)]
mod tests;
