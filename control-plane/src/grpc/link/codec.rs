//! The link's messages on the wire: small buffers, and the length of each message as it came.

use kaliun_proto::link::v1::{DeviceMessage, ServerMessage};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Bytes that a session's buffers begin with and grow by: a heartbeat takes 12, an acknowledgement 40.
const BUFFER_BYTES: usize = 256;
/// Bytes of encoded messages that are gathered before they are given to HTTP/2.
const YIELD_BYTES: usize = 16 * 1024;

/// A message of a box, with the bytes that it took on the wire. Counted there and not on what was understood of it: a newer agent
/// sends fields that this server does not know, and pays credit for them.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) message: DeviceMessage,
    pub(crate) bytes: u32,
}

/// Encodes and decodes with small buffers.
#[derive(Default)]
pub(crate) struct LinkCodec;

/// Decodes and counts.
pub(crate) struct FrameDecoder(ProstDecoder<DeviceMessage>);

fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
}

impl Codec for LinkCodec {
    type Encode = ServerMessage;
    type Decode = Frame;
    type Encoder = ProstEncoder<ServerMessage>;
    type Decoder = FrameDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<ServerMessage, DeviceMessage>::raw_encoder(buffers())
    }

    fn decoder(&mut self) -> Self::Decoder {
        FrameDecoder(ProstCodec::<ServerMessage, DeviceMessage>::raw_decoder(buffers()))
    }
}

impl Decoder for FrameDecoder {
    type Item = Frame;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Frame>, Status> {
        use bytes::Buf;
        let bytes = u32::try_from(buffer.remaining()).unwrap_or(u32::MAX);
        Ok(self.0.decode(buffer)?.map(|message| Frame { message, bytes }))
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
