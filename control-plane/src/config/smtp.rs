//! The keys about mail: `smtp_url`, `smtp_password_file`, `smtp_ca` and `mail_from`.

use super::Problems;
use http::uri::Authority;
use lettre::message::Mailbox;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where mails are handed over when the URL names no port: by TLS from the start (RFC 8314), and by STARTTLS.
const PORT_TLS: u16 = 465;
const PORT_STARTTLS: u16 = 587;

/// How mails are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailConfig {
    /// Who takes them.
    pub server: MailServer,
    /// File with the password of the server's user; set when there is one, and then only.
    pub password_file: Option<PathBuf>,
    /// Roots for TLS; none for the machine's own.
    pub ca: Option<PathBuf>,
    /// Whom they come from.
    pub from: Mailbox,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others.
    pub security: Security,
    /// Who signs in there; none when nobody has to.
    pub user: Option<String>,
}

/// How a connection to a mail server is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything but a greeting is said.
    StartTls,
    /// Not at all, for it does not leave the machine.
    Loopback,
}

/// The keys as they are written.
pub(super) struct Keys {
    pub(super) url: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) from: Option<String>,
}

/// How mails are sent, by what the keys say. What is wrong is among the problems.
pub(super) fn mail(problems: &mut Problems, keys: Keys) -> Option<MailConfig> {
    let Some(url) = keys.url else {
        for (key, is_set) in [
            ("smtp_password_file", keys.password_file.is_some()),
            ("smtp_ca", keys.ca.is_some()),
            ("mail_from", keys.from.is_some()),
        ] {
            if is_set {
                problems.add(key, "is set without smtp_url: name the mail server, or leave this out");
            }
        }
        return None;
    };
    let server = match server(&url, keys.ca.is_some()) {
        Ok(server) => Some(server),
        Err(problem) => problems.missing_part("smtp_url", problem),
    };
    let from = match keys.from.as_deref().map(str::parse::<Mailbox>) {
        Some(Ok(from)) => Some(from),
        Some(Err(_)) => {
            problems.missing_part("mail_from", "must be like fleet@example.org or Fleet <fleet@example.org>")
        }
        None => problems.missing("mail_from", "smtp_url is set: say whom mails come from, such as fleet@example.org"),
    };
    let has_user = server.as_ref().is_none_or(|server| server.user.is_some());
    if keys.password_file.is_some() && !has_user {
        problems.add("smtp_url", "names no user, but smtp_password_file is set: write smtps://USER@HOST");
    }
    if keys.password_file.is_none() && server.as_ref().is_some_and(|server| server.user.is_some()) {
        problems.add("smtp_password_file", "is missing: smtp_url names a user, so name the file with the password");
    }
    Some(MailConfig { server: server?, password_file: keys.password_file, ca: keys.ca, from: from? })
}

/// Reads the URL. What is wrong with it does not repeat it, for somebody may have written a password into it.
fn server(url: &str, has_roots: bool) -> Result<MailServer, &'static str> {
    const FORM: &str = "must be like smtps://user@mail.example.org or smtp://user@mail.example.org:587";
    let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
    let is_tls = match scheme {
        "smtps" => true,
        "smtp" => false,
        _ => return Err(FORM),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    // Users are often addresses themselves: the last @ is the one before the host.
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    let place: Authority = place.parse().map_err(|_| FORM)?;
    let host = place.host().trim_start_matches('[').trim_end_matches(']');
    let port = place.port_u16().unwrap_or(if is_tls { PORT_TLS } else { PORT_STARTTLS });
    let has_bad_port = place.as_str().len() > place.host().len() && place.port_u16().is_none();
    if host.is_empty() || port == 0 || has_bad_port {
        return Err(FORM);
    }
    let user = match user {
        Some(user) if user.contains(':') => {
            return Err("has a password: put it into a file and name that as smtp_password_file");
        }
        Some(user) => Some(percent_decoded(user).filter(|user| !user.is_empty()).ok_or(FORM)?),
        None => None,
    };
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let security = match (is_tls, is_loopback && !has_roots) {
        (true, _) => Security::Tls,
        (false, false) => Security::StartTls,
        (false, true) => Security::Loopback,
    };
    Ok(MailServer { host: host.to_owned(), port, security, user })
}

/// A part of a URL as it is meant; none when it is no text.
fn percent_decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, host: &str, port: u16, security: Security, user: Option<&str>) {
        let expected = MailServer { host: host.to_owned(), port, security, user: user.map(str::to_owned) };
        assert_eq!(server(url, false), Ok(expected), "{url}");
    }

    #[test]
    fn urls_say_how_safe_the_way_is() {
        check("smtps://mail.example.org", "mail.example.org", 465, Security::Tls, None);
        check("smtps://ada@mail.example.org:2465/", "mail.example.org", 2465, Security::Tls, Some("ada"));
        check("smtp://mail.example.org", "mail.example.org", 587, Security::StartTls, None);
        check(
            "smtp://a@example.org@mail.example.org",
            "mail.example.org",
            587,
            Security::StartTls,
            Some("a@example.org"),
        );
        check("smtp://a%40example.org@[2001:db8::1]:25", "2001:db8::1", 25, Security::StartTls, Some("a@example.org"));
        check("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Security::Loopback, None);
        check("smtp://localhost:2525", "localhost", 2525, Security::Loopback, None);
        check("smtp://[::1]:2525", "::1", 2525, Security::Loopback, None);
        check("smtps://localhost", "localhost", 465, Security::Tls, None);
        assert_eq!(server("smtp://localhost", true).unwrap().security, Security::StartTls, "roots are for something");
    }

    #[test]
    fn other_urls_are_refused_without_being_repeated() {
        for url in [
            "",
            "mail.example.org",
            "http://mail.example.org",
            "smtps://",
            "smtps://@mail.example.org",
            "smtps://ada@",
            "smtps://mail.example.org:0",
            "smtps://mail.example.org:",
            "smtps://mail.example.org:99999",
            "smtps://mail.example.org/inbox",
            "smtps://%zz@mail.example.org",
            "smtps://%0d%0a@mail.example.org",
            "smtps://ada:hunter2@mail.example.org",
        ] {
            let problem = server(url, false).unwrap_err();
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    fn problems_of(url: Option<&str>, password_file: Option<&str>, from: Option<&str>) -> String {
        let mut problems = Problems::default();
        let text = |text: &str| text.to_owned();
        let keys = Keys {
            url: url.map(text),
            password_file: password_file.map(PathBuf::from),
            ca: None,
            from: from.map(text),
        };
        mail(&mut problems, keys);
        problems.0
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |url, password_file, from, expected: &str| {
            let said = problems_of(url, password_file, from);
            assert!(if expected.is_empty() { said.is_empty() } else { said.contains(expected) }, "{expected}: {said}");
        };
        let from = Some("Fleet <fleet@example.org>");
        check(None, None, None, "");
        check(Some("smtps://mail.example.org"), None, from, "");
        check(Some("smtps://a@mail.example.org"), Some("/p"), from, "");
        check(None, Some("/p"), None, "smtp_password_file is set without smtp_url");
        check(None, None, from, "mail_from is set without smtp_url");
        check(Some("smtps://mail.example.org"), None, None, "mail_from is missing");
        check(Some("smtps://mail.example.org"), None, Some("nobody"), "mail_from must be like");
        check(Some("smtps://mail.example.org"), None, Some("a\r\nBcc: b <a@example.org>"), "mail_from must be like");
        check(Some("smtps://a@mail.example.org"), None, from, "smtp_password_file is missing");
        check(Some("smtps://mail.example.org"), Some("/p"), from, "smtp_url names no user");
        check(Some("imap://mail.example.org"), Some("/p"), from, "smtp_url must be like");
    }
}
