//! The transport under all calls: gRPC-Web by the browser's fetch, same origin, with the session's cookie, in one organization.
//!
//! It carries bytes, so that it is compiled once and not once for each call, and it is our own: all that a general client brings for
//! servers and transports of other kinds would cost every first visit a tenth of its download.

use crate::model::failure::Failure;
use crate::model::frames::{Frame, Frames, failure_of_http, failure_of_status, framed};
use crate::model::method::Method;
use crate::organization;
use js_sys::futures::JsFuture;
use js_sys::{Reflect, Uint8Array};
use prost::Message;
use std::pin::Pin;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{AbortController, AbortSignal, Headers, ReadableStreamDefaultReader, RequestInit, Response};

/// How long a call may take before the page says that nobody answers, milliseconds: longer than a restart of the server.
const CALL_MAX_MS: u32 = 15_000;
/// What bodies are.
const CONTENT_TYPE: &str = "application/grpc-web+proto";

/// Asks one question.
pub(crate) async fn call<Q, A>(method: Method<Q, A>, request: &Q) -> Result<A, Failure>
where
    Q: Message,
    A: Message + Default,
{
    let answer = exchange(method.path(), request.encode_to_vec()).await?;
    A::decode(answer.as_slice()).map_err(|_| unreadable())
}

/// One request and its answer, as bytes.
fn exchange(path: &'static str, message: Vec<u8>) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Failure>>>> {
    Box::pin(async move {
        let response = post(path, &message, &AbortSignal::timeout_with_u32(CALL_MAX_MS)).await?;
        let body = response.array_buffer().map_err(|_| Failure::Unreachable)?;
        let body = JsFuture::from(body).await.map_err(|_| Failure::Unreachable)?;
        let mut frames = Frames::default();
        frames.push(&Uint8Array::new(&body).to_vec());
        let mut answer = None;
        loop {
            match frames.next_frame()? {
                Some(Frame::Message(message)) => answer = Some(message),
                Some(Frame::End(Some(failure))) => return Err(failure),
                Some(Frame::End(None)) => return answer.ok_or_else(empty_answer),
                // It was cut off.
                None => return Err(Failure::Unreachable),
            }
        }
    })
}

/// A stream of answers, which lasts as long as the page. Dropping it ends it.
pub(crate) struct Answers {
    reader: ReadableStreamDefaultReader,
    frames: Frames,
    stop: AbortController,
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.stop.abort();
    }
}

impl Answers {
    /// Opens it.
    pub(crate) async fn open<Q: Message, A>(method: Method<Q, A>, request: &Q) -> Result<Self, Failure> {
        Self::open_bytes(method.path(), request.encode_to_vec()).await
    }

    async fn open_bytes(path: &'static str, message: Vec<u8>) -> Result<Self, Failure> {
        let stop = AbortController::new().map_err(|_| Failure::Unreachable)?;
        let response = post(path, &message, &stop.signal()).await?;
        let body = response.body().ok_or(Failure::Unreachable)?;
        let reader = body.get_reader().dyn_into().map_err(|_| Failure::Unreachable)?;
        Ok(Self { reader, frames: Frames::default(), stop })
    }

    /// The next answer; nothing when the server ended the stream.
    pub(crate) async fn next<A: Message + Default>(&mut self) -> Result<Option<A>, Failure> {
        match self.next_bytes().await? {
            Some(bytes) => A::decode(bytes.as_slice()).map(Some).map_err(|_| unreadable()),
            None => Ok(None),
        }
    }

    async fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            match self.frames.next_frame()? {
                Some(Frame::Message(message)) => return Ok(Some(message)),
                Some(Frame::End(Some(failure))) => return Err(failure),
                Some(Frame::End(None)) => return Ok(None),
                None => {}
            }
            let piece = JsFuture::from(self.reader.read()).await.map_err(|_| Failure::Unreachable)?;
            let bytes =
                Reflect::get(&piece, &"value".into()).ok().and_then(|value| value.dyn_into::<Uint8Array>().ok());
            // Without an end frame it was cut off.
            self.frames.push(&bytes.ok_or(Failure::Unreachable)?.to_vec());
        }
    }
}

/// Sends a message, and waits for the beginning of the answer.
async fn post(path: &'static str, message: &[u8], signal: &AbortSignal) -> Result<Response, Failure> {
    let asked = prepared(message, signal).ok().zip(web_sys::window());
    let asked = asked.map(|(request, window)| window.fetch_with_str_and_init(path, &request));
    let response = JsFuture::from(asked.ok_or(Failure::Unreachable)?).await.map_err(|_| Failure::Unreachable)?;
    let response: Response = response.dyn_into().map_err(|_| Failure::Unreachable)?;
    if let Some(failure) = failure_of_http(response.status()) {
        return Err(failure);
    }
    // A call that fails at once has its status here, and no body.
    let headers = response.headers();
    let field = |name: &str| headers.get(name).ok().flatten();
    match field("grpc-status") {
        Some(code) => failure_of_status(&code, &field("grpc-message").unwrap_or_default()).map_or(Ok(response), Err),
        None => Ok(response),
    }
}

fn prepared(message: &[u8], signal: &AbortSignal) -> Result<RequestInit, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", CONTENT_TYPE)?;
    headers.set("accept", CONTENT_TYPE)?;
    headers.set("x-grpc-web", "1")?;
    let organization = organization::current();
    if !organization.is_empty() {
        headers.set("kaliun-organization", &organization)?;
    }
    // The cookie goes along, for it is the same origin.
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_headers(&headers);
    request.set_body(&Uint8Array::from(framed(message).as_slice()));
    request.set_signal(Some(signal));
    Ok(request)
}

/// An answer that lacks what it is there for.
pub(crate) fn empty_answer() -> Failure {
    Failure::Unexpected("The answer was empty.".to_owned())
}

fn unreadable() -> Failure {
    Failure::Unexpected("The answer could not be read.".to_owned())
}
