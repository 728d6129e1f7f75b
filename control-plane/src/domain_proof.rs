//! Whether a domain shows that it belongs to an organization: by a TXT record with a word that only the two know.

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use kaliun_domain::domain_name::DomainName;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// One question to one server, and how often it is asked.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPTS: usize = 2;
/// All of it. Somebody waits for the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What the record says before the word. Other services of the world have records there, too.
const PREFIX: &str = "kaliun-fleet=";

/// Asks for records. Each time anew and past all caches of ours, for somebody has just changed them.
#[derive(Debug, Clone)]
pub struct DomainProof {
    servers: Vec<SocketAddr>,
}

/// It could not be found out.
#[derive(Debug, Error)]
pub enum DomainProofError {
    /// No server to ask.
    #[error("it is not known whom to ask about domains")]
    NoServers(#[source] NetError),
    /// No answer to the question.
    #[error("{name} could not be looked up")]
    Failed {
        /// The record's name.
        name: String,
        /// Why.
        source: NetError,
    },
    /// None within the time.
    #[error("{name} could not be looked up within {} s", TIMEOUT.as_secs())]
    Silent {
        /// The record's name.
        name: String,
    },
}

/// The record's text that shows that a domain is somebody's.
#[must_use]
pub fn record_text(word: &str) -> String {
    format!("{PREFIX}{word}")
}

impl DomainProof {
    /// Asks these servers, or when there are none those that the machine asks.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers }
    }

    /// Whether the record stands there. Others beside it do not matter.
    ///
    /// # Errors
    /// It could not be found out. That there is none is no error.
    pub async fn is_shown(&self, domain: &DomainName, word: &str) -> Result<bool, DomainProofError> {
        let expected = record_text(word);
        let found = self.texts(&domain.proof_name()).await?;
        Ok(found.iter().any(|text| text.trim_ascii() == expected.as_bytes()))
    }

    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, DomainProofError> {
        let resolver = self.resolver().map_err(DomainProofError::NoServers)?;
        // The dot keeps the machine's search domains out.
        let asked = tokio::time::timeout(TIMEOUT, resolver.lookup(format!("{name}."), RecordType::TXT)).await;
        match asked.map_err(|_elapsed| DomainProofError::Silent { name: name.to_owned() })? {
            Ok(answer) => Ok(answer.answers().iter().filter_map(|record| text_of(&record.data)).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(source) => Err(DomainProofError::Failed { name: name.to_owned(), source }),
        }
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = self.servers.iter().copied().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = QUESTION_TIMEOUT;
        options.attempts = ATTEMPTS;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        builder.build()
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    connections.iter_mut().for_each(|connection| connection.port = address.port());
    NameServerConfig::new(address.ip(), true, connections)
}

/// A record's text, of all its parts.
fn text_of(data: &RData) -> Option<Vec<u8>> {
    if let RData::TXT(text) = data { Some(text.txt_data.concat()) } else { None }
}
