//! Serving HTTP/1 and HTTP/2 to people and programs, with an end for every connection.

use crate::listen::activity::Activity;
use crate::tasks::Tasks;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The first request must be here within this time, the head of each further one too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that nobody asked anything on for so long is ended; a browser opens another one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// A peer that does not answer is noticed within two of these.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// The longest life of a connection. What is live on it begins anew on another one, maybe at another replica.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// Headers of browsers with many cookies.
const HEADERS_MAX_BYTES: u32 = 32 * 1024;
/// Calls at once on one HTTP/2 connection: what RFC 9113 section 6.5.2 recommends as the least.
const STREAMS_MAX: u32 = 100;
/// Bytes that may be sent ahead on a stream, and on a connection, before anybody reads them. Our requests are small.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const WINDOW_BYTES: u32 = 256 * 1024;

/// How a connection ended that broke.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Serves one connection to its end.
pub(crate) async fn serve<S, F>(
    stream: S,
    tasks: Tasks,
    answer: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let stopping = tasks.stopping();
    let activity = Activity::new();
    let requests = activity.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let under_way = requests.begin();
        let answered = answer(request);
        async move { Ok::<_, Infallible>(under_way.until_sent(answered.await)) }
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(tasks);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(HEADERS_MAX_BYTES)
        .keep_alive_interval(PING_INTERVAL);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        result = connection => result,
        // The builder waits for ever for the bytes that say which version it is.
        () = activity.is_over(HEAD_TIMEOUT, IDLE_TIMEOUT) => Ok(()),
        () = tokio::time::sleep(LIFETIME) => Ok(()),
        () = stopping.cancelled() => Ok(()),
    }
}
