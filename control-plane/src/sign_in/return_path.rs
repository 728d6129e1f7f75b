//! Where somebody goes on after signing in: on this server, whatever a link says.

use http::uri::PathAndQuery;

/// Longest path, bytes.
const PATH_MAX_BYTES: usize = 512;

/// A path on this server, with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnPath(String);

impl Default for ReturnPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl ReturnPath {
    /// Takes a path that stays on this server. Browsers read `//host`, `/\host` and `/<tab>/host` as other servers; and nobody is to be sent
    /// round in a circle.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_local = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
        let is_plain = text.len() <= PATH_MAX_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_path = text.parse::<PathAndQuery>().is_ok();
        (is_local && is_plain && is_path && !text.starts_with("/sign-in/")).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        let check = |text: &str, expected: bool| assert_eq!(ReturnPath::parse(text).is_some(), expected, "{text:?}");
        check("/", true);
        check("/devices/attic?tab=events&x=%2F%2Fa", true);
        check("/account", true);
        check("", false);
        check("devices", false);
        check("https://elsewhere.example.org/", false);
        check("//elsewhere.example.org/", false);
        check("/\\elsewhere.example.org/", false);
        check("/\t/elsewhere.example.org/", false);
        check("/devices\r\nset-cookie: a=b", false);
        check("/ä", false);
        check("/a b", false);
        check("/sign-in/company", false);
        check(&format!("/{}", "x".repeat(512)), false);
        check(&format!("/{}", "x".repeat(511)), true);
    }
}
