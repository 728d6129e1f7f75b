//! What binds an attempt to the browser that began it.

use crate::digest::random;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, header};
use kaliun_types::secret::SecretText;
use std::time::Duration;

/// Characters of its value.
const SECRET_CHARS: usize = 43;

/// The cookie that a browser keeps while somebody is at a provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrowserCookie {
    name: &'static str,
    attributes: &'static str,
}

impl BrowserCookie {
    /// For a server on TLS, or on plain HTTP on loopback. It comes along when the provider sends the browser back, from another site by a link:
    /// SameSite is Lax.
    pub(super) const fn new(secure: bool) -> Self {
        if secure {
            Self { name: "__Host-kaliun-sign-in", attributes: "; Path=/; HttpOnly; SameSite=Lax; Secure" }
        } else {
            Self { name: "kaliun-sign-in", attributes: "; Path=/; HttpOnly; SameSite=Lax" }
        }
    }

    /// A new value.
    pub(super) fn secret() -> SecretText {
        SecretText::new(BASE64URL_NOPAD.encode(&random::<32>()))
    }

    /// The value that a browser has, if it can be one of ours.
    pub(super) fn of(self, headers: &HeaderMap) -> Option<SecretText> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| *name == self.name && value.len() == SECRET_CHARS)
            .filter(|(_, value)| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'))
            .map(|(_, value)| SecretText::new(value.to_owned()))
    }

    /// The line that sets it.
    pub(super) fn line(self, secret: &SecretText, lifetime: Duration) -> String {
        format!("{}={}; Max-Age={}{}", self.name, secret.expose(), lifetime.as_secs(), self.attributes)
    }

    /// The line that takes it away.
    pub(super) fn cleared(self) -> String {
        format!("{}=; Max-Age=0{}", self.name, self.attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_ours_is_taken() {
        let cookie = BrowserCookie::new(true);
        let secret = BrowserCookie::secret();
        let check = |line: &str, expected: bool| {
            let headers = HeaderMap::from_iter([(header::COOKIE, line.parse().unwrap())]);
            assert_eq!(cookie.of(&headers).is_some_and(|found| found == secret), expected, "{line}");
        };
        let value = secret.expose();
        check(&format!("__Host-kaliun-sign-in={value}"), true);
        check(&format!("theme=dark; __Host-kaliun-sign-in={value}; a=b"), true);
        check(&format!("kaliun-sign-in={value}"), false);
        check(&format!("__Host-kaliun-sign-in={value}x"), false);
        check("__Host-kaliun-sign-in=", false);
        assert!(cookie.of(&HeaderMap::new()).is_none());
    }

    #[test]
    fn it_is_tied_to_this_host_and_hidden_from_scripts() {
        let line = BrowserCookie::new(true).line(&SecretText::new("x".to_owned()), Duration::from_secs(600));
        assert_eq!(line, "__Host-kaliun-sign-in=x; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert!(BrowserCookie::new(false).cleared().starts_with("kaliun-sign-in=; Max-Age=0; Path=/; HttpOnly"));
    }
}
