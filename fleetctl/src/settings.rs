//! Which server to talk to and with which token, out of flags, environment and contexts.

use crate::Program;
use crate::cli::Global;
use crate::config::{self, Config, Context};
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use http::Uri;
use kaliun_types::secret::SecretText;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a connection needs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Address of the public listener.
    pub(crate) server: Server,
    /// How the caller is known.
    pub(crate) credential: Credential,
    /// Where a person's calls act.
    pub(crate) organization: Place,
    /// The context that all of this is from; `None` when it is from flags and environment alone.
    pub(crate) context: Option<String>,
    /// Extra roots.
    pub(crate) ca: Option<PathBuf>,
    /// Longest wait for one answer.
    pub(crate) timeout: Duration,
}

/// How the caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Not at all: for calls that need no sign-in.
    Nothing,
    /// By a token that stays as it is.
    Token(SecretText),
    /// By a person's session, whose tokens are renewed.
    Session(StoredSession),
}

/// A session, and where its next tokens are to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSession {
    /// The tokens as they were read.
    pub(crate) session: config::Session,
    /// The configuration file.
    pub(crate) file: PathBuf,
    /// The context in it.
    pub(crate) context: String,
}

/// The organization that calls act in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// That of the API token, or the one that the server chooses for a person.
    Default,
    /// That of the context.
    OfContext(config::Organization),
    /// The one that this command line or the environment names, by name or id.
    Named(String),
}

/// A checked server address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    uri: Uri,
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
    /// Name or address, without brackets.
    pub(crate) host: String,
    /// Its port, also where the address leaves it out.
    pub(crate) port: u16,
}

impl Server {
    /// Checks an address: http or https, a host, perhaps a port, and nothing more.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |problem: &str| {
            Failure::usage(
                format!("the server address {text:?} {problem}"),
                "give it as http://HOST:PORT or https://HOST[:PORT]",
            )
        };
        let uri: Uri = text.parse().map_err(|_| wrong("is no address"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(wrong("begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name; sign in with a token"));
        }
        if !matches!(uri.path_and_query().map(http::uri::PathAndQuery::as_str), None | Some("" | "/")) {
            return Err(wrong("has a path"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { uri, tls, host, port })
    }

    /// Whether what is sent could be read on the way.
    pub(crate) fn is_exposed(&self) -> bool {
        let loopback = self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        !self.tls && !loopback
    }

    /// The address for HTTP.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.uri.to_string().trim_end_matches('/'))
    }
}

/// Finds out what to connect to. `None` when no server is named anywhere.
pub(crate) fn find(program: &mut Program, global: &Global) -> Result<Option<Settings>, Failure> {
    let (settings, warning) = read(&program.environment, global)?;
    if let Some(warning) = warning {
        program.console.talk(&warning);
    }
    Ok(settings)
}

/// As [`find`], for commands that cannot do without a server.
pub(crate) fn require(program: &mut Program, global: &Global) -> Result<Settings, Failure> {
    find(program, global)?.ok_or_else(no_server)
}

/// As [`require`], for a second look: what the person should know was said at the first.
pub(crate) fn again(program: &Program, global: &Global) -> Result<Settings, Failure> {
    read(&program.environment, global)?.0.ok_or_else(no_server)
}

fn no_server() -> Failure {
    Failure::usage("no server is set", "run `fleetctl login --server URL`, or set FLEETCTL_SERVER and FLEETCTL_TOKEN")
}

/// Reads them, and what the person should know of the file.
fn read(environment: &Environment, global: &Global) -> Result<(Option<Settings>, Option<String>), Failure> {
    // Without a need for the file a broken one must not stand in the way.
    let needs_context = global.context.is_some()
        || (global.server.is_none() && environment.server.is_none())
        || environment.token.is_none();
    let (mut file, mut config, mut warning) = (PathBuf::new(), Config::default(), None);
    if needs_context {
        let named = global.context.is_some() || environment.server.is_none();
        match config::location(environment).and_then(|path| Ok((config::load(&path)?, path))) {
            Ok((loaded, path)) => (file, config, warning) = (path, loaded.config, loaded.warning),
            Err(failure) if named && global.server.is_none() => return Err(failure),
            Err(_) => {}
        }
    }
    Ok((merge(global, environment, &config, &file)?, warning))
}

fn merge(
    global: &Global,
    environment: &Environment,
    config: &Config,
    file: &Path,
) -> Result<Option<Settings>, Failure> {
    let (name, context) = match &global.context {
        Some(name) => (Some(name), Some(context_named(config, name)?)),
        None => (config.current.as_ref(), config.current.as_ref().and_then(|name| config.contexts.get(name))),
    };
    // A context that is named on this command line wins over the environment, and brings its own token.
    let environment_server = environment.server.as_ref().filter(|_| global.context.is_none());
    let environment_token = environment.token.as_ref().filter(|_| global.context.is_none());
    let address = global.server.as_ref().or(environment_server).or(context.map(|context| &context.server));
    let Some(address) = address else { return Ok(None) };
    let server = Server::parse(address)?;

    // What a context holds goes to the context's server and nowhere else.
    let same = name.zip(context).filter(|(_, context)| Server::parse(&context.server).is_ok_and(|it| it == server));
    // A token of the environment is somebody else's than the context's person, who alone acts in the context's organization.
    let signed_in = same.filter(|_| environment_token.is_none());
    let credential = match (environment_token, signed_in) {
        (Some(token), _) => Credential::Token(token.clone()),
        (None, Some((name, context))) => of_context(name, context, file),
        (None, None) => Credential::Nothing,
    };
    let environment_organization = environment.organization.as_ref().filter(|_| global.context.is_none());
    let organization = match global.organization.as_ref().or(environment_organization) {
        Some(named) => Place::Named(named.clone()),
        None => {
            let chosen = signed_in.and_then(|(_, context)| context.organization.clone());
            chosen.map_or(Place::Default, Place::OfContext)
        }
    };
    let ca = global.ca.clone().or_else(|| environment.ca_file.clone());
    Ok(Some(Settings {
        credential,
        organization,
        context: signed_in.map(|(name, _)| name.clone()),
        ca: ca.or_else(|| same.and_then(|(_, context)| context.ca.clone())),
        server,
        timeout: global.timeout,
    }))
}

fn of_context(name: &str, context: &Context, file: &Path) -> Credential {
    match (&context.session, &context.token) {
        (Some(session), _) => Credential::Session(StoredSession {
            session: session.clone(),
            file: file.to_owned(),
            context: name.to_owned(),
        }),
        (None, Some(token)) => Credential::Token(token.clone()),
        (None, None) => Credential::Nothing,
    }
}

/// The context of a name.
pub(crate) fn context_named<'a>(config: &'a Config, name: &str) -> Result<&'a Context, Failure> {
    config.contexts.get(name).ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("there is no context {name:?}"),
            "see `fleetctl context list`, or make it with `fleetctl context set NAME --server URL`",
        )
    })
}

#[cfg(test)]
mod tests;
