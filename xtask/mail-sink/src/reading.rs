//! What a person looks for in a mail: to whom, about what, the words, the link. Reads what programs of ours write, not every mail there is.

use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE};

/// A mail, as far as it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom, as its header says.
    pub to: String,
    /// About what.
    pub subject: String,
    /// Its text; empty when it has none.
    pub text: String,
}

impl Mail {
    /// Reads a message. What it lacks is empty.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let (head, body) = split(bytes);
        let header = |name| header(&head, name).unwrap_or_default();
        Self { to: decode_words(&header("to")), subject: decode_words(&header("subject")), text: text(&head, body) }
    }

    /// The link of its button: the first address on a line of its own.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        let is_link = |line: &&str| line.starts_with("http://") || line.starts_with("https://");
        self.text.lines().map(str::trim).find(is_link)
    }
}

/// Headers, each on one line, and the body.
fn split(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = match end {
        Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 4..).unwrap_or_default()),
        None => (bytes, &[][..]),
    };
    (String::from_utf8_lossy(head).replace("\r\n ", " ").replace("\r\n\t", " "), body)
}

fn header(head: &str, name: &str) -> Option<String> {
    let value = |line: &str| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    head.lines().find_map(value)
}

/// The plain text of a message: its own, or that of its first part that is plain text.
fn text(head: &str, body: &[u8]) -> String {
    let kind = header(head, "content-type").unwrap_or_default();
    let Some(boundary) = parameter(&kind, "boundary") else { return decode_body(head, body) };
    let (body, border) = (String::from_utf8_lossy(body), format!("--{boundary}"));
    let mut parts = body.split(&border).skip(1).map(|part| split(part.trim_start().as_bytes()));
    let is_plain = |head: &str| {
        header(head, "content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/plain"))
    };
    parts.find(|(head, _)| is_plain(head)).map(|(head, content)| decode_body(&head, content)).unwrap_or_default()
}

/// A parameter of a header, such as the boundary of a Content-Type.
fn parameter(value: &str, name: &str) -> Option<String> {
    let found = value.split(';').skip(1).find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    });
    found.filter(|value| !value.is_empty())
}

fn decode_body(head: &str, body: &[u8]) -> String {
    let encoding = header(head, "content-transfer-encoding").unwrap_or_default();
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "quoted-printable" => quoted_printable(body, false),
        "base64" => BASE64_MIME_PERMISSIVE.decode(body).unwrap_or_default(),
        _ => body.to_vec(),
    };
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

/// Quoted-printable (RFC 2045), or its form for headers, in which an underscore is a space (RFC 2047).
fn quoted_printable(text: &[u8], is_header: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'=', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => rest = after,
            (b'=', [high, low, after @ ..]) => {
                let digits =
                    std::str::from_utf8(&[*high, *low]).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                if let Some(byte) = digits {
                    bytes.push(byte);
                    rest = after;
                } else {
                    bytes.push(b'=');
                }
            }
            (b'_', _) if is_header => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    bytes
}

/// A header with words such as =?utf-8?b?…?= decoded (RFC 2047). White space between two of them is none.
fn decode_words(value: &str) -> String {
    let mut text = String::new();
    let mut after_encoded = false;
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        let decoded = decode_word(word);
        let is_joined = after_encoded && decoded.is_some();
        if !text.is_empty() && !is_joined {
            text.push(' ');
        }
        after_encoded = decoded.is_some();
        text.push_str(decoded.as_deref().unwrap_or(word));
    }
    text
}

fn decode_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (_charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = match encoding {
        "b" | "B" => BASE64.decode(text.as_bytes()).ok()?,
        "q" | "Q" => quoted_printable(text.as_bytes(), true),
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_in_two_forms_is_read() {
        let bytes = b"To: ada@example.org\r\nSubject: Invitation to =?utf-8?b?4oCcS8O2bG7igJ0=?=\r\n at =?utf-8?q?Caf=C3=A9?=\r\n \
            =?utf-8?q?_Fleet?=\r\nContent-Type: multipart/alternative;\r\n boundary=\"xyz\"\r\n\r\n--xyz\r\nContent-Type: text/plain; \
            charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe a=3Db long=\r\n line\r\n\r\nGo:\r\n\
            https://fleet.example.org/confirm#abc\r\n\r\n--xyz\r\nContent-Type: text/html\r\n\r\n<p>no</p>\r\n--xyz--\r\n";
        let mail = Mail::read(bytes);
        assert_eq!(mail.to, "ada@example.org");
        assert_eq!(mail.subject, "Invitation to “Köln” at Café Fleet");
        assert!(mail.text.starts_with("Grüße a=b long line\n"), "{:?}", mail.text);
        assert_eq!(mail.link(), Some("https://fleet.example.org/confirm#abc"));
    }

    #[test]
    fn whatever_it_is_it_is_read() {
        for bytes in [
            &b""[..],
            b"\r\n\r\n",
            b"Content-Type: multipart/x; boundary=\r\n\r\n--",
            b"Subject: =?utf-8?b?%?=\r\n\r\n=",
            b"=?",
            b"\xff\xfe\r\n\r\n\xff=",
        ] {
            let _read = Mail::read(bytes);
        }
        let mail = Mail::read(b"Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n");
        assert_eq!((mail.text.as_str(), mail.link()), ("hello", None));
    }
}
