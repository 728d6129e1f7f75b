//! Calls by strangers: what stands in their bodies.

use super::{KNOWN_EXPORTER, Outcome, run, taken};
use bytes::Bytes;
use http::{Method, Request, Version, header};
use http_body_util::Full;
use kaliun_control_plane::fuzzing;
use kaliun_proto::enrollment::v1::enroll_response::Step as EnrollmentStep;
use kaliun_proto::enrollment::v1::recover_response::Step as RecoveryStep;

/// The body of an enrolment. Its challenge is another one each time, so nobody can have signed it: being asked for the proof is all that
/// the best input comes to.
pub(super) fn enrollment(data: &[u8]) -> Outcome {
    let (is_proved, said) = run(fuzzing::enrollment(Bytes::copy_from_slice(data)));
    assert!(!is_proved, "nobody can have signed this nonce");
    match said.as_slice() {
        [] => Outcome::Refused,
        [EnrollmentStep::Challenge(challenge)] => {
            assert_eq!(challenge.nonce.len(), 32);
            Outcome::Taken
        }
        other => panic!("a stranger was told more than a challenge: {} steps", other.len()),
    }
}

/// The body of a recovery, as above.
pub(super) fn recovery(data: &[u8]) -> Outcome {
    let (is_proved, said) = run(fuzzing::recovery(&KNOWN_EXPORTER, Bytes::copy_from_slice(data)));
    assert!(!is_proved, "nobody can have signed this nonce");
    match said.as_slice() {
        [] => Outcome::Refused,
        [RecoveryStep::Challenge(challenge)] => {
            assert_eq!(challenge.nonce.len(), 32);
            Outcome::Taken
        }
        other => panic!("a stranger was told more than a challenge: {} steps", other.len()),
    }
}

/// The first byte says which kind of call it is, the rest is the body.
pub(super) fn strangers_call(data: &[u8]) -> Outcome {
    let Some((kind, body)) = data.split_first() else { return Outcome::Refused };
    let (content_type, version) = match kind % 4 {
        0 => ("application/grpc", Version::HTTP_2),
        1 => ("application/grpc-web+proto", Version::HTTP_11),
        2 => ("application/grpc-web-text", Version::HTTP_11),
        _ => ("application/grpc-web", Version::HTTP_2),
    };
    let request = Request::builder()
        .method(Method::POST)
        .version(version)
        .uri("/kaliun.fleet.v1.AccountService/SignIn")
        .header(header::CONTENT_TYPE, content_type)
        .header(header::ACCEPT, content_type)
        .body(Full::new(Bytes::copy_from_slice(body)))
        .expect("a request");
    let message = run(fuzzing::strangers_call(request));
    if let Some(message) = &message {
        let bytes = message.email.len() + message.password.len();
        assert!(bytes <= 4096, "{bytes} bytes of a stranger were read");
    }
    taken(message.is_some())
}
