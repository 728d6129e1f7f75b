//! The list of targets.

mod certificate;
mod dialogue;
mod header;
mod link;
mod text;
mod trust;

pub use certificate::now;
use std::cell::RefCell;

/// What the known proofs were signed for.
pub const KNOWN_NONCE: [u8; 32] = [0x4e; 32];
/// The connection that the known proofs of a recovery are for.
pub const KNOWN_EXPORTER: [u8; 32] = [0x45; 32];

/// What a target found out about its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is what it should be, and was read.
    Taken,
    /// It is not.
    Refused,
}

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// What it reads, for people.
    pub what: &'static str,
    /// Longest input that makes sense, bytes.
    pub input_max_bytes: usize,
    /// Runs it; panics where something is wrong.
    pub run: fn(&[u8]) -> Outcome,
}

const fn target(name: &'static str, input_max_bytes: usize, run: fn(&[u8]) -> Outcome, what: &'static str) -> Target {
    Target { name, what, input_max_bytes, run }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target(
        "proxy_header",
        1024,
        header::proxy_header,
        "the PROXY header of a load balancer in front of the device listener",
    ),
    target("forwarded_for", 2048, header::forwarded_for, "X-Forwarded-For of a proxy in front of the public listener"),
    target("credential", 4096, header::credential, "authorization and cookie of a request"),
    target("strangers_call", 8192, dialogue::strangers_call, "gRPC and gRPC-Web bodies of strangers, as in signing in"),
    target("certificate", 16_384, certificate::certificate, "the certificates that a box shows"),
    target("certificate_request", 4096, certificate::certificate_request, "a box's signing request"),
    target("proof", 512, certificate::proof, "the proofs of a key, for enrolment and recovery"),
    target("enrollment", 20_480, dialogue::enrollment, "the messages of an enrolment, up to the proof"),
    target("recovery", 20_480, dialogue::recovery, "the messages of a recovery, up to the proof"),
    target("hello", 40_960, link::hello, "the first message of a link"),
    target("link_items", 65_536, link::link_items, "samples, events and facts on a link"),
    target(
        "trust_chain",
        65_536,
        trust::trust_chain,
        "the trust bundles that a box is given over a connection it does not trust yet",
    ),
    target("join_token", 256, text::join_token, "the text of a join token"),
    target("claim_code", 128, text::claim_code, "a claim code as somebody types it"),
    target("device_name", 1024, text::device_name, "what a box calls itself, and the pattern that names it"),
    target("check_characters", 64, text::check_characters, "check characters as somebody types them"),
    target("page_token", 2048, text::page_token, "the token of a page"),
];

/// The target of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

thread_local! {
    static RUNTIME: RefCell<Option<tokio::runtime::Runtime>> = const { RefCell::new(None) };
}

/// Runs something that has all it needs.
fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(|| {
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime of one thread")
        });
        runtime.block_on(future)
    })
}

fn taken(is_taken: bool) -> Outcome {
    if is_taken { Outcome::Taken } else { Outcome::Refused }
}
