//! What tabs of one browser tell each other.

use crate::model::freshness::{Liveness, Phase};
use js_sys::{Object, Reflect, Uint8Array};
use kaliun_proto::fleet::v1::{WatchRequest, WatchResponse};
use prost::Message as _;
use wasm_bindgen::{JsCast as _, JsValue};

/// One message. Those from the leader go to all.
#[derive(Debug, Clone)]
pub(crate) enum TabMessage {
    /// A new leader asks what everyone follows.
    Ask,
    /// A tab says what it follows from now on.
    Want { tab: String, request: WatchRequest },
    /// The leader opened the stream anew; the present state of everything follows.
    Restart,
    /// The leader passes on what the server sent.
    Frame(Box<WatchResponse>),
    /// The server does not answer this subscription; with its sentence.
    Refused { id: String, sentence: String },
    /// The leader says how the stream is.
    Liveness(Liveness),
}

impl TabMessage {
    /// As a value that a broadcast channel can carry.
    pub(crate) fn to_js(&self) -> JsValue {
        let object = Object::new();
        let set = |key: &str, value: JsValue| {
            // Setting a property of a fresh object cannot fail.
            let _set = Reflect::set(&object, &key.into(), &value);
        };
        let kind = match self {
            Self::Ask => "ask",
            Self::Want { tab, request } => {
                set("tab", tab.into());
                set("bytes", Uint8Array::from(request.encode_to_vec().as_slice()).into());
                "want"
            }
            Self::Restart => "restart",
            Self::Frame(response) => {
                set("bytes", Uint8Array::from(response.encode_to_vec().as_slice()).into());
                "frame"
            }
            Self::Refused { id, sentence } => {
                set("id", id.into());
                set("sentence", sentence.into());
                "refused"
            }
            Self::Liveness(Liveness { phase, heard_at_ms }) => {
                set("phase", phase_word(*phase).into());
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are far below 2^53")]
                set("heard", (*heard_at_ms as f64).into());
                "liveness"
            }
        };
        set("kind", kind.into());
        object.into()
    }

    /// From what a channel brought; nothing for a message of another version of this program.
    pub(crate) fn from_js(value: &JsValue) -> Option<Self> {
        let get = |key: &str| Reflect::get(value, &key.into()).ok();
        let bytes = || Some(get("bytes")?.dyn_into::<Uint8Array>().ok()?.to_vec());
        match get("kind")?.as_string()?.as_str() {
            "ask" => Some(Self::Ask),
            "want" => {
                let request = WatchRequest::decode(bytes()?.as_slice()).ok()?;
                Some(Self::Want { tab: get("tab")?.as_string()?, request })
            }
            "restart" => Some(Self::Restart),
            "frame" => Some(Self::Frame(Box::new(WatchResponse::decode(bytes()?.as_slice()).ok()?))),
            "refused" => Some(Self::Refused { id: get("id")?.as_string()?, sentence: get("sentence")?.as_string()? }),
            "liveness" => {
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this age are far below 2^53")]
                let heard_at_ms = get("heard")?.as_f64()? as i64;
                Some(Self::Liveness(Liveness { phase: phase_of(&get("phase")?.as_string()?)?, heard_at_ms }))
            }
            _ => None,
        }
    }
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Opening => "opening",
        Phase::Live => "live",
        Phase::Broken => "broken",
    }
}

fn phase_of(word: &str) -> Option<Phase> {
    [Phase::Idle, Phase::Opening, Phase::Live, Phase::Broken].into_iter().find(|phase| phase_word(*phase) == word)
}
