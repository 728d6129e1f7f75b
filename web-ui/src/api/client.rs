//! The transport under all calls: gRPC-Web by the browser's fetch, same origin, with the session's cookie, in one organization.
//!
//! It carries bytes, so that it is compiled once and not once for each call.

use crate::model::failure::Failure;
use crate::model::method::Method;
use crate::organization;
use prost::Message;
use prost::bytes::{Buf as _, BufMut as _};
use std::pin::Pin;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status, Streaming};
use tonic_web_wasm_client::Client;
use tonic_web_wasm_client::options::{Credentials, FetchOptions};

/// How long a call may take before the page says that nobody answers: longer than a restart of the server.
const CALL_MAX: Duration = Duration::from_secs(15);
/// Names the organization that a call acts in.
const ORGANIZATION: &str = "kaliun-organization";

/// Asks one question.
pub(crate) async fn call<Q, A>(method: Method<Q, A>, request: &Q) -> Result<A, Failure>
where
    Q: Message,
    A: Message + Default,
{
    let answer = exchange(method.path(), request.encode_to_vec()).await?;
    A::decode(answer.as_slice()).map_err(|_| unreadable())
}

/// A stream of answers, which lasts as long as the page. Dropping it ends it.
pub(crate) struct Answers {
    stream: Streaming<Vec<u8>>,
}

impl Answers {
    /// Opens it.
    pub(crate) async fn open<Q: Message, A>(method: Method<Q, A>, request: &Q) -> Result<Self, Failure> {
        let (mut client, request) = prepared(FetchOptions::new(), request.encode_to_vec());
        client.ready().await.map_err(|_| Failure::Unreachable)?;
        let answer = client.server_streaming(request, PathAndQuery::from_static(method.path()), Bytes).await;
        answer.map(|answer| Self { stream: answer.into_inner() }).map_err(|status| failure(&status))
    }

    /// The next answer; nothing when the server ended the stream.
    pub(crate) async fn next<A: Message + Default>(&mut self) -> Result<Option<A>, Failure> {
        match self.stream.message().await.map_err(|status| failure(&status))? {
            Some(bytes) => A::decode(bytes.as_slice()).map(Some).map_err(|_| unreadable()),
            None => Ok(None),
        }
    }
}

/// One request and its answer, as bytes.
fn exchange(path: &'static str, body: Vec<u8>) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Failure>>>> {
    Box::pin(async move {
        let (mut client, request) = prepared(FetchOptions::new().timeout(CALL_MAX), body);
        client.ready().await.map_err(|_| Failure::Unreachable)?;
        let answer = client.unary(request, PathAndQuery::from_static(path), Bytes).await;
        answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    })
}

fn prepared(options: FetchOptions, body: Vec<u8>) -> (Grpc<Client>, Request<Vec<u8>>) {
    let options = options.credentials(Credentials::SameOrigin);
    let mut request = Request::new(body);
    if let Ok(organization) = MetadataValue::try_from(organization::current().as_str())
        && !organization.is_empty()
    {
        request.metadata_mut().insert(ORGANIZATION, organization);
    }
    (Grpc::new(Client::new_with_options(String::new(), options)), request)
}

/// Messages as the bytes that they are.
#[derive(Clone, Copy)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}

/// What a gRPC status means to a person.
fn failure(status: &Status) -> Failure {
    Failure::from_status(i32::from(status.code()), status.message())
}

/// An answer that lacks what it is there for.
pub(crate) fn empty_answer() -> Failure {
    Failure::Unexpected("The answer was empty.".to_owned())
}

fn unreadable() -> Failure {
    Failure::Unexpected("The answer could not be read.".to_owned())
}
