//! Somebody signed in as in a browser: gRPC-Web from one of the server's own pages, with the session's cookie.

use crate::support::{Fixture, public_channel};
use anyhow::{Context, Result};
use http::Request as HttpRequest;
use kaliun_control_plane::server::Server;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use kaliun_proto::fleet::v1::watch_service_client::WatchServiceClient;
use kaliun_proto::fleet::v1::{Identity, SignInRequest, SignOutRequest, WatchRequest, WatchResponse};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_web::{GrpcWebCall, GrpcWebClientLayer, GrpcWebClientService};
use tower::util::MapRequest;
use tower::{Layer, ServiceExt};

/// A channel that speaks gRPC-Web.
pub(crate) type Web =
    GrpcWebClientService<MapRequest<Channel, fn(HttpRequest<GrpcWebCall<Body>>) -> HttpRequest<Body>>>;

/// A signed-in browser.
pub(crate) struct Browser {
    web: Web,
    origin: String,
    cookie: String,
}

impl Browser {
    /// Signs in as the first admin.
    pub(crate) async fn sign_in(fixture: &mut Fixture) -> Result<Self> {
        let password = fixture.server.take_first_password().context("a password was made")?;
        let mut browser = Self::open(fixture).await?;
        browser.sign_in_as("admin@example.org", &password).await?;
        Ok(browser)
    }

    /// Opens the server's pages, without signing in.
    pub(crate) async fn open(fixture: &Fixture) -> Result<Self> {
        Self::open_at(fixture, &fixture.server).await
    }

    /// The same at another replica.
    pub(crate) async fn open_at(fixture: &Fixture, server: &Server) -> Result<Self> {
        let channel = public_channel(server).await?;
        let web = GrpcWebClientLayer::new().layer(channel.map_request(boxed as fn(_) -> _));
        // What the page is, by what is configured for browsers.
        let own = || format!("http://{}", server.addresses().public);
        let origin = fixture.config().public_url.clone().unwrap_or_else(own);
        Ok(Self { web, origin, cookie: String::new() })
    }

    /// Signs in, and keeps the cookie.
    pub(crate) async fn sign_in_as(&mut self, email: &str, password: &str) -> Result<Identity, Status> {
        let request = SignInRequest { email: email.to_owned(), password: password.to_owned() };
        let answer = self.accounts().sign_in(self.request(request)).await?;
        self.keep_cookie(&answer);
        Ok(answer.into_inner().identity.unwrap_or_default())
    }

    /// Keeps the cookie that an answer sets.
    pub(crate) fn keep_cookie<T>(&mut self, answer: &Response<T>) {
        let cookie = answer.metadata().get("set-cookie").and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
        self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    }

    /// The calls of the account pages.
    pub(crate) fn accounts(&self) -> AccountServiceClient<Web> {
        AccountServiceClient::new(self.web.clone())
    }

    /// The browser that has these cookies.
    pub(crate) async fn with_cookies(fixture: &Fixture, cookie: String) -> Result<Self> {
        let channel = public_channel(&fixture.server).await?;
        let web = GrpcWebClientLayer::new().layer(channel.map_request(boxed as fn(_) -> _));
        Ok(Self { web, origin: format!("http://{}", fixture.server.addresses().public), cookie })
    }

    /// What other calls are made through.
    pub(crate) fn web(&self) -> Web {
        self.web.clone()
    }

    pub(crate) async fn sign_out(&self) -> Result<()> {
        self.accounts().sign_out(self.request(SignOutRequest {})).await?;
        Ok(())
    }

    pub(crate) async fn watch(&self, request: WatchRequest) -> Result<Streaming<WatchResponse>> {
        Ok(WatchServiceClient::new(self.web.clone()).watch(self.request(request)).await?.into_inner())
    }

    /// A request of a page, with the cookie if there is one.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let ascii = |text: &str| text.parse().expect("it is ASCII");
        request.metadata_mut().insert("origin", ascii(&self.origin));
        request.metadata_mut().insert("sec-fetch-site", ascii("same-origin"));
        if !self.cookie.is_empty() {
            request.metadata_mut().insert("cookie", ascii(&self.cookie));
        }
        request
    }
}

fn boxed(request: HttpRequest<GrpcWebCall<Body>>) -> HttpRequest<Body> {
    request.map(Body::new)
}
