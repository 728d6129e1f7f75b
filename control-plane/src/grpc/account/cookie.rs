//! The cookie that holds a browser session.

use data_encoding::BASE64URL_NOPAD;
use std::time::Duration;
use tonic::Response;

/// How long a browser stays signed in.
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_secs(14 * 24 * 3600);

/// The cookie that holds a browser session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionCookie {
    /// With TLS the name begins with `__Host-`, which browsers tie to this host and to TLS (RFC 6265bis section 4.1.3.2).
    pub(crate) name: &'static str,
    attributes: &'static str,
}

impl SessionCookie {
    /// For a server on TLS, or on plain HTTP on loopback.
    pub(crate) fn new(tls: bool) -> Self {
        if tls {
            Self { name: "__Host-kaliun", attributes: "; Path=/; HttpOnly; SameSite=Lax; Secure" }
        } else {
            Self { name: "kaliun", attributes: "; Path=/; HttpOnly; SameSite=Lax" }
        }
    }

    /// The line that sets it.
    pub(crate) fn line(self, value: &str, lifetime: Duration) -> String {
        format!("{}={value}; Max-Age={}{}", self.name, lifetime.as_secs(), self.attributes)
    }

    /// A new secret for it.
    pub(crate) fn secret() -> String {
        BASE64URL_NOPAD.encode(&crate::digest::random::<32>())
    }

    pub(super) fn set<T>(self, response: &mut Response<T>, secret: &str) {
        self.put(response, &self.line(secret, SESSION_LIFETIME));
    }

    pub(super) fn clear<T>(self, response: &mut Response<T>) {
        self.put(response, &self.line("", Duration::ZERO));
    }

    fn put<T>(self, response: &mut Response<T>, line: &str) {
        if let Ok(line) = line.parse() {
            response.metadata_mut().insert("set-cookie", line);
        }
    }
}
