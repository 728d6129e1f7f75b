//! What a box says on its link.

use super::{Outcome, run, taken};
use bytes::Bytes;
use kaliun_control_plane::fuzzing;
use kaliun_proto::link::v1::device_message::Message as Content;
use kaliun_proto::link::v1::{DeviceMessage, Hello};
use kaliun_types::limits::BATCH_ITEMS_MAX;
use prost::Message;

/// A message with its head, as gRPC has it on the wire.
fn framed(hello: Hello) -> Vec<u8> {
    let message = DeviceMessage { message: Some(Content::Hello(Box::new(hello))) }.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [&[0], length.as_slice(), &message].concat()
}

pub(super) fn hello(data: &[u8]) -> Outcome {
    let Ok(hello) = run(fuzzing::hello(Bytes::copy_from_slice(data))) else { return Outcome::Refused };
    assert!(hello.protocol >= 1);
    assert!(hello.agent_version.len() <= 64 && hello.agent_version.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(hello.capabilities.len() <= 64 && hello.capabilities.iter().all(|word| word.len() <= 32));
    assert!(hello.spools.len() <= 8 && hello.spools.iter().all(|spool| spool.spool_id.len() == 16));
    let again = run(fuzzing::hello(Bytes::from(framed(hello.clone()))));
    assert_eq!(again.ok(), Some(hello), "what was read is read again");
    Outcome::Taken
}

pub(super) fn link_items(data: &[u8]) -> Outcome {
    let items = run(fuzzing::link_items(Bytes::copy_from_slice(data)));
    assert!(items.iter().all(|items| *items <= BATCH_ITEMS_MAX), "{items:?}");
    assert!(items.len() <= data.len() / 5, "a message has a head of five bytes");
    taken(items.iter().any(|items| *items > 0))
}
