//! Somebody signed in as in a browser: gRPC-Web from one of the server's own pages, with the session's cookie.

use crate::support::{Fixture, public_channel};
use anyhow::{Context, Result};
use http::Request as HttpRequest;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use kaliun_proto::fleet::v1::watch_service_client::WatchServiceClient;
use kaliun_proto::fleet::v1::{SignInRequest, SignOutRequest, WatchRequest, WatchResponse};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Request, Streaming};
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
        let channel = public_channel(&fixture.server).await?;
        let web = GrpcWebClientLayer::new().layer(channel.map_request(boxed as fn(_) -> _));
        let origin = format!("http://{}", fixture.server.addresses().public);
        let mut browser = Self { web, origin, cookie: String::new() };
        let request = browser.request(SignInRequest { email: "admin@example.org".to_owned(), password })?;
        let answer = AccountServiceClient::new(browser.web.clone()).sign_in(request).await?;
        let cookie = answer.metadata().get("set-cookie").context("a cookie")?.to_str()?;
        browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(browser)
    }

    /// The browser that has these cookies.
    pub(crate) async fn with_cookies(fixture: &Fixture, cookie: String) -> Result<Self> {
        let channel = public_channel(&fixture.server).await?;
        let web = GrpcWebClientLayer::new().layer(channel.map_request(boxed as fn(_) -> _));
        Ok(Self { web, origin: format!("http://{}", fixture.server.addresses().public), cookie })
    }

    /// What calls go through.
    pub(crate) fn web(&self) -> Web {
        self.web.clone()
    }

    pub(crate) async fn sign_out(&self) -> Result<()> {
        AccountServiceClient::new(self.web.clone()).sign_out(self.request(SignOutRequest {})?).await?;
        Ok(())
    }

    pub(crate) async fn watch(&self, request: WatchRequest) -> Result<Streaming<WatchResponse>> {
        Ok(WatchServiceClient::new(self.web.clone()).watch(self.request(request)?).await?.into_inner())
    }

    pub(crate) fn request<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("origin", self.origin.parse()?);
        request.metadata_mut().insert("sec-fetch-site", "same-origin".parse()?);
        if !self.cookie.is_empty() {
            request.metadata_mut().insert("cookie", self.cookie.parse()?);
        }
        Ok(request)
    }
}

fn boxed(request: HttpRequest<GrpcWebCall<Body>>) -> HttpRequest<Body> {
    request.map(Body::new)
}
