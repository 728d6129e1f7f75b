//! The web UI: compiled files inside this binary, each with its brotli form beside it.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$KALIUN_WEB_DIST"]
struct Files;

/// Nothing from elsewhere, nothing inline. WebAssembly needs its own word.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A year of TLS only (RFC 6797).
pub(crate) const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Answers a request for a page or a file. `secure` says that it came over TLS.
pub(crate) fn serve(method: &Method, path: &str, headers: &HeaderMap, secure: bool) -> Response<Body> {
    let mut response = find(method, path, headers);
    protect(response.headers_mut(), secure);
    response
}

fn find(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET here\n");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let file = path.trim_start_matches('/');
    // A path without a dot is a page of the UI, which finds its way itself.
    let name = if file.is_empty() || !file.contains('.') { "index.html" } else { file };
    let compressed = accepts_brotli(headers).then(|| Files::get(&format!("{name}.br"))).flatten();
    let is_compressed = compressed.is_some();
    let Some(found) = compressed.or_else(|| Files::get(name)) else {
        if name == "index.html" {
            return text(
                StatusCode::NOT_FOUND,
                "this program was built without the web UI; run `cargo xtask web`, then build it again\n",
            );
        }
        return text(StatusCode::NOT_FOUND, "no such file\n");
    };
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(found.data) };
    let mut response = Response::new(body);
    let set = response.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    if is_compressed {
        set.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    set.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let cache = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// What browsers are told with every answer. A refusal is shown by a browser as a page is, so it has the same rules.
pub(crate) fn protect(headers: &mut HeaderMap, secure: bool) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("permissions-policy", HeaderValue::from_static("camera=(), microphone=(), geolocation=()"));
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
}

fn text(status: StatusCode, message: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|coding| coding.split(';').next().map(str::trim) == Some("br")))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        Some("json") => "application/json",
        Some(_) | None => "application/octet-stream",
    }
}

/// Whether a file's name has the hash of its content in it, so that it never changes: `app-0123456789abcdef.js`.
fn is_hashed(name: &str) -> bool {
    name.split(['-', '.', '_']).any(|part| part.len() >= 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashed_names_are_kept_for_ever() {
        assert!(is_hashed("app-0123456789abcdef.js"));
        assert!(is_hashed("app-0123456789abcdef_bg.wasm"));
        assert!(!is_hashed("index.html"));
        assert!(!is_hashed("favicon.svg"));
    }

    #[test]
    fn brotli_is_sent_to_those_who_read_it() {
        let headers = |value: &str| HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
        assert!(accepts_brotli(&headers("gzip, deflate, br")));
        assert!(accepts_brotli(&headers("br;q=1.0")));
        assert!(!accepts_brotli(&headers("gzip, brx")));
    }

    #[test]
    fn every_answer_carries_its_policy_and_other_methods_are_refused() {
        let check = |method: Method, path: &str, expected: Option<StatusCode>| {
            for secure in [false, true] {
                let answer = serve(&method, path, &HeaderMap::new(), secure);
                assert!(expected.is_none_or(|expected| answer.status() == expected), "{method} {path}: {answer:?}");
                let told = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
                assert_eq!(told("content-security-policy").as_deref(), Some(POLICY), "{method} {path}");
                assert_eq!(told("x-content-type-options").as_deref(), Some("nosniff"), "{method} {path}");
                assert_eq!(told("referrer-policy").as_deref(), Some("no-referrer"), "{method} {path}");
                assert_eq!(told("cross-origin-opener-policy").as_deref(), Some("same-origin"), "{method} {path}");
                assert!(told("permissions-policy").is_some(), "{method} {path}");
                assert_eq!(told("strict-transport-security").is_some(), secure, "{method} {path}");
            }
        };
        // Found or not by whether the web UI was built, with the same rules either way.
        check(Method::GET, "/", None);
        check(Method::HEAD, "/devices/some-box", None);
        for name in Files::iter() {
            check(Method::GET, &format!("/{name}"), Some(StatusCode::OK));
        }
        check(Method::GET, "/no-such-file.js", Some(StatusCode::NOT_FOUND));
        check(Method::POST, "/", Some(StatusCode::METHOD_NOT_ALLOWED));
        check(Method::DELETE, "/no-such-file.js", Some(StatusCode::METHOD_NOT_ALLOWED));
        assert!(POLICY.starts_with("default-src 'none';") && !POLICY.contains("unsafe-inline"), "{POLICY}");
    }
}
