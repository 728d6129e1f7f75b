//! HTTP as browsers and servers of tests speak it: one connection for each request, whole bodies.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Sends a request to a server of this machine. The request's address need not be the server's.
pub(crate) async fn send(server: SocketAddr, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = request.map(Full::new);
    if !request.headers().contains_key(header::HOST) {
        let host = request.uri().authority().map_or_else(|| server.to_string(), ToString::to_string);
        request.headers_mut().insert(header::HOST, host.parse()?);
    }
    let path: Uri = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
    *request.uri_mut() = path;
    let answered = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        anyhow::Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    };
    let mut answered = std::pin::pin!(answered);
    tokio::select! {
        answer = &mut answered => return answer,
        _ended = connection => {}
    }
    answered.await
}

/// A server of a test, gone with it.
pub(crate) struct StandIn {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl StandIn {
    /// Answers requests until it is dropped.
    pub(crate) async fn start<A, F>(answer: A) -> Result<Self>
    where
        A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        Self::start_on(None, answer).await
    }

    /// The same over TLS.
    pub(crate) async fn start_with_tls<A, F>(tls: ServerConfig, answer: A) -> Result<Self>
    where
        A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        Self::start_on(Some(TlsAcceptor::from(Arc::new(tls))), answer).await
    }

    #[expect(clippy::disallowed_methods, reason = "the tasks end with the stand-in, and with the test")]
    async fn start_on<A, F>(tls: Option<TlsAcceptor>, answer: A) -> Result<Self>
    where
        A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            while let Ok((stream, _from)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = Arc::clone(&answer);
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        let response = answer(Request::from_parts(head, body)).await;
                        Ok::<_, hyper::Error>(response.map(Full::new))
                    }
                });
                let tls = tls.clone();
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    match tls {
                        None => drop(connection.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            // Clients that do not believe us are what some tests are about.
                            let Ok(stream) = tls.accept(stream).await else { return };
                            drop(connection.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                });
            }
        });
        Ok(Self { address, task })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A browser: it keeps cookies, and goes where it is sent.
#[derive(Default)]
pub(crate) struct Visitor {
    cookies: Vec<Cookie>,
}

#[derive(Debug, Clone)]
struct Cookie {
    name: String,
    path: String,
    value: String,
}

impl Visitor {
    /// Opens a page, without going further.
    pub(crate) async fn get(&mut self, url: &str) -> Result<Response<Bytes>> {
        // What a browser says of itself when somebody follows a link.
        let request = Request::get(url).header("sec-fetch-mode", "navigate").header("sec-fetch-site", "cross-site");
        self.ask(request.body(Bytes::new())?).await
    }

    /// Sends a form, without going further.
    pub(crate) async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Result<Response<Bytes>> {
        let form = fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request.body(Bytes::from(form))?).await
    }

    /// Sends a request with the cookies it has, and keeps those that come.
    pub(crate) async fn ask(&mut self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        let url = request.uri().clone();
        let server: SocketAddr = url.authority().context("the address has a host")?.as_str().parse()?;
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| url.path().starts_with(&cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse()?);
        }
        let answer = send(server, request).await?;
        self.keep(answer.headers())?;
        Ok(answer)
    }

    /// All cookies that a page at the root sees, as a browser sends them.
    pub(crate) fn cookies(&self) -> String {
        let at_root = self.cookies.iter().filter(|cookie| cookie.path == "/");
        at_root.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }

    /// Forgets what servers other than ours gave it, so that a provider asks who it is.
    pub(crate) fn forget_elsewhere(&mut self) {
        self.cookies.retain(|cookie| cookie.name.starts_with("kaliun"));
    }

    /// Takes a cookie that came another way.
    pub(crate) fn take(&mut self, line: &str) -> Result<()> {
        self.keep(&HeaderMap::from_iter([(header::SET_COOKIE, line.parse()?)]))
    }

    fn keep(&mut self, headers: &HeaderMap) -> Result<()> {
        for set in headers.get_all(header::SET_COOKIE) {
            let mut parts = set.to_str()?.split(';').map(str::trim);
            let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).context("a cookie has a name")?;
            let attributes: Vec<&str> = parts.collect();
            let path = attributes.iter().find_map(|attribute| {
                let (key, path) = attribute.split_once('=')?;
                key.eq_ignore_ascii_case("path").then(|| path.to_owned())
            });
            let path = path.unwrap_or_else(|| "/".to_owned());
            self.cookies.retain(|cookie| cookie.name != name || cookie.path != path);
            let is_over = attributes.iter().any(|attribute| {
                attribute.to_ascii_lowercase().contains("01 jan 1970") || attribute.eq_ignore_ascii_case("max-age=0")
            });
            if !is_over && !value.is_empty() {
                self.cookies.push(Cookie { name: name.to_owned(), path, value: value.to_owned() });
            }
        }
        Ok(())
    }
}

/// Where an answer sends a browser, in full.
pub(crate) fn location(from: &str, answer: &Response<Bytes>) -> Result<String> {
    let target = answer.headers().get(header::LOCATION).context("it sends the browser somewhere")?.to_str()?;
    if target.starts_with("http") {
        return Ok(target.to_owned());
    }
    let from: Uri = from.parse()?;
    Ok(format!("http://{}{target}", from.authority().context("the address has a host")?))
}

/// An answer of a stand-in.
pub(crate) fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    if let Ok(content_type) = content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}
