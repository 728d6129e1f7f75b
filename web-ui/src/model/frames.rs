//! gRPC-Web as it stands in a body: frames of messages, and at the end one with the status.

use super::failure::Failure;

/// Bytes before each frame: a flag, and the length as four bytes, the highest first.
const HEAD: usize = 5;
/// The flag of the frame that has the status.
const END: u8 = 0x80;
/// Longest frame that is taken: the largest answer of the contract has 16 MB, a person's export.
const FRAME_MAX: usize = 20_000_000;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message, encoded.
    Message(Vec<u8>),
    /// The status: nothing when all is well.
    End(Option<Failure>),
}

/// Puts a message into a frame.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    // Requests are bounded by the contract far below this.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEAD + message.len());
    frame.push(0);
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    frame
}

/// Reads frames out of the pieces in which a body comes. Holds at most one frame and one piece.
#[derive(Debug, Default)]
pub struct Frames {
    come: Vec<u8>,
}

impl Frames {
    /// Takes in a piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.come.extend(piece);
    }

    /// The next frame; nothing before it has come whole.
    ///
    /// # Errors
    /// What has come is no frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        let Some((head, rest)) = self.come.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [flag, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > FRAME_MAX || flag & !END != 0 {
            return Err(Failure::Unexpected("The answer could not be read.".to_owned()));
        }
        let Some(content) = rest.get(..length) else { return Ok(None) };
        let frame =
            if flag == END { Frame::End(failure_of_trailers(content)) } else { Frame::Message(content.to_vec()) };
        self.come.drain(..HEAD + length);
        Ok(Some(frame))
    }
}

/// What the status says, by its two header fields; nothing when all is well.
#[must_use]
pub fn failure_of_status(code: &str, message: &str) -> Option<Failure> {
    match code.trim().parse() {
        Ok(0) => None,
        Ok(code) => Some(Failure::from_status(code, &decoded(message.trim()))),
        Err(_) => Some(Failure::Unexpected("The answer could not be read.".to_owned())),
    }
}

/// What an answer of HTTP means that is none of gRPC: of a proxy in between, or of a server that starts. Nothing for 200.
#[must_use]
pub fn failure_of_http(status: u16) -> Option<Failure> {
    match status {
        200 => None,
        401 => Some(Failure::SignedOut),
        403 => Some(Failure::Denied("This address does not let the dashboard in.".to_owned())),
        429 | 500..=599 => Some(Failure::Unreachable),
        _ => Some(Failure::Unexpected(format!("HTTP status {status}."))),
    }
}

fn failure_of_trailers(content: &[u8]) -> Option<Failure> {
    let text = String::from_utf8_lossy(content);
    let field = |wanted: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned())
    };
    failure_of_status(&field("grpc-status").unwrap_or_default(), &field("grpc-message").unwrap_or_default())
}

/// A status' message, in which all but ASCII stands as `%` and two hexadecimal digits for each byte.
fn decoded(message: &str) -> String {
    let mut bytes = Vec::with_capacity(message.len());
    let mut rest = message.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(trailers: &str) -> Vec<u8> {
        let mut frame = framed(trailers.as_bytes());
        frame[0] = END;
        frame
    }

    #[test]
    fn frames_come_in_whatever_pieces() {
        let body = [framed(b"one"), framed(b""), end("grpc-status: 0\r\n")].concat();
        let expected = [Frame::Message(b"one".to_vec()), Frame::Message(Vec::new()), Frame::End(None)];
        for size in 1..=body.len() {
            let mut frames = Frames::default();
            let mut come = Vec::new();
            for piece in body.chunks(size) {
                frames.push(piece);
                while let Some(frame) = frames.next_frame().expect("these are frames") {
                    come.push(frame);
                }
            }
            assert_eq!(come, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_status_says_what_is_wrong() {
        let of = |trailers: &str| {
            let mut frames = Frames::default();
            frames.push(&end(trailers));
            frames.next_frame()
        };
        let refused = Failure::Refused("Name: “x” is taken.".to_owned());
        let message = "grpc-status:3\r\ngrpc-message:name: %E2%80%9Cx%E2%80%9D is taken\r\n";
        assert_eq!(of(message), Ok(Some(Frame::End(Some(refused)))));
        assert_eq!(of("Grpc-Status: 16\r\n"), Ok(Some(Frame::End(Some(Failure::SignedOut)))));
        assert!(matches!(of("nothing"), Ok(Some(Frame::End(Some(Failure::Unexpected(_)))))));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let refuses = |bytes: &[u8]| {
            let mut frames = Frames::default();
            frames.push(bytes);
            frames.next_frame().is_err()
        };
        assert!(refuses(b"<html"), "a page of a proxy");
        assert!(refuses(&[0, 0xff, 0xff, 0xff, 0xff]), "longer than any answer");
        assert!(!refuses(&[0, 0, 0, 0]), "not whole yet");
    }

    #[test]
    fn a_message_is_decoded_as_far_as_it_can_be() {
        let check = |message: &str, expected: &str| assert_eq!(decoded(message), expected);
        check("50%25 of it", "50% of it");
        check("50% of it", "50% of it");
        check("100%", "100%");
        check("%zz", "%zz");
    }

    #[test]
    fn a_proxy_that_answers_is_told_from_the_server() {
        assert_eq!(failure_of_http(200), None);
        assert_eq!(failure_of_http(502), Some(Failure::Unreachable));
        assert_eq!(failure_of_http(401), Some(Failure::SignedOut));
        assert!(matches!(failure_of_http(404), Some(Failure::Unexpected(_))));
    }
}
