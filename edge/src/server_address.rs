//! Where the control plane's device listener is.

use http::Uri;
use rustls::pki_types::ServerName;
use thiserror::Error;

/// Port of the device listener when the address names none.
const PORT_DEFAULT: u16 = 8443;

/// The device listener's address: `https://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    host: String,
    port: u16,
    name: ServerName<'static>,
    origin: Uri,
}

/// The text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not the address of a control plane: expected https://HOST[:PORT] and nothing behind it")]
pub struct InvalidServerAddress {
    text: String,
}

impl std::str::FromStr for ServerAddress {
    type Err = InvalidServerAddress;

    fn from_str(text: &str) -> Result<Self, InvalidServerAddress> {
        Self::parse(text).ok_or_else(|| InvalidServerAddress { text: text.to_owned() })
    }
}

impl ServerAddress {
    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.trim().parse().ok()?;
        let authority = uri.authority()?;
        let is_plain = uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !is_plain || authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).ok()?;
        let port = match authority.port() {
            None if authority.as_str() == authority.host() => PORT_DEFAULT,
            // A port that is no number up to 65,535 counts as none there.
            None => return None,
            Some(port) => port.as_str().parse().ok().filter(|port| *port != 0)?,
        };
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let origin = format!("https://{bracketed}:{port}").parse().ok()?;
        Some(Self { host, port, name, origin })
    }

    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(crate) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    pub(crate) fn origin(&self) -> Uri {
        self.origin.clone()
    }
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.origin.to_string().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            text.parse::<ServerAddress>().ok().map(|address| address.to_string()).as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn addresses_are_https_without_a_path() {
        check("https://fleet.example", Some("https://fleet.example:8443"));
        check("https://127.0.0.1:9000/", Some("https://127.0.0.1:9000"));
        check("https://[::1]:9000", Some("https://[::1]:9000"));
        check("http://fleet.example", None);
        check("https://fleet.example/path", None);
        check("https://user@fleet.example", None);
        check("https://fleet.example:0", None);
        check("https://fleet.example:99999", None);
        check("fleet.example", None);
        check("", None);
    }
}
