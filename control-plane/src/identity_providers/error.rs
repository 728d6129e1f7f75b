//! Why a sign-in through a provider did not come off: true in the log, useful to the person.

use crate::identity_providers::outward::OutwardError;
use kaliun_types::reason::ReasonCode;
use openidconnect::ClaimsVerificationError;
use thiserror::Error;

/// Longest word of a provider that is repeated, characters: error codes of OAuth have at most half of it.
const WORD_MAX_CHARS: usize = 64;

/// Anything.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A sign-in through a provider did not come off. With its sources it is for the log; a person is told [`ProviderError::reason`].
#[derive(Debug, Error)]
pub enum ProviderError {
    /// Too many sign-ins through this provider at once.
    #[error("too many sign-ins through this provider are under way")]
    Busy,
    /// The provider gave no answer.
    #[error("the provider gave no answer")]
    Unreachable(#[source] OutwardError),
    /// The provider says that it cannot at the moment.
    #[error("the provider cannot at the moment: {0}")]
    Unable(String),
    /// The person did not agree.
    #[error("the person did not agree at the provider")]
    Denied,
    /// The answer is not the one to this attempt.
    #[error("the answer's state is not that of the attempt")]
    ForeignState,
    /// The answer comes from another issuer than the attempt went to.
    #[error("the answer's issuer is {found:?} and should be {expected:?}")]
    ForeignIssuer {
        /// Whom the attempt went to.
        expected: String,
        /// Who answered.
        found: Option<String>,
    },
    /// The code is not good any more.
    #[error("the provider does not take its code: {0}")]
    CodeRefused(String),
    /// The provider does not accept this server.
    #[error("the provider does not accept this server: {0}")]
    ServerRefused(String),
    /// What the provider publishes about itself does not serve.
    #[error("what the provider publishes about itself does not serve")]
    Discovery(#[source] Cause),
    /// The provider's answer is not what it should be.
    #[error("the provider's answer is not what it should be")]
    Answer(#[source] Cause),
    /// The token does not hold.
    #[error("the token does not hold")]
    Token(#[source] ClaimsVerificationError),
    /// The token is not what this server asked for.
    #[error("the token is not for this server: {0}")]
    Unfit(&'static str),
}

impl ProviderError {
    /// What the person is told, with what to do.
    #[must_use]
    pub fn reason(&self) -> ReasonCode {
        match self {
            Self::Busy => ReasonCode::SignInBusy,
            Self::Unreachable(_) | Self::Unable(_) => ReasonCode::SignInProviderUnreachable,
            Self::Denied => ReasonCode::SignInDenied,
            Self::ForeignState | Self::CodeRefused(_) => ReasonCode::SignInAttemptOver,
            Self::ServerRefused(_) | Self::Discovery(_) => ReasonCode::SignInProviderMisconfigured,
            Self::ForeignIssuer { .. } | Self::Answer(_) | Self::Token(_) | Self::Unfit(_) => {
                ReasonCode::SignInAnswerInvalid
            }
        }
    }

    /// What a provider's word means that it sent back with the person (RFC 6749, section 4.1.2.1).
    pub(crate) fn of_return(word: &str) -> Self {
        match word {
            "access_denied"
            | "login_required"
            | "consent_required"
            | "interaction_required"
            | "account_selection_required" => Self::Denied,
            "temporarily_unavailable" | "server_error" => Self::Unable(printable(word)),
            other => Self::ServerRefused(printable(other)),
        }
    }

    /// What a provider's word means that it answered a code with (RFC 6749, section 5.2, and GitHub's own).
    pub(crate) fn of_exchange(word: &str) -> Self {
        match word {
            "invalid_grant" | "bad_verification_code" => Self::CodeRefused(printable(word)),
            other => Self::ServerRefused(printable(other)),
        }
    }

    pub(crate) fn answer(cause: impl Into<Cause>) -> Self {
        Self::Answer(cause.into())
    }
}

/// A stranger's word as it may stand in a log.
fn printable(word: &str) -> String {
    word.chars().filter(char::is_ascii_graphic).take(WORD_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_leads_to_what_a_person_can_do() {
        let returned =
            |word: &str, expected: ReasonCode| assert_eq!(ProviderError::of_return(word).reason(), expected, "{word}");
        returned("access_denied", ReasonCode::SignInDenied);
        returned("login_required", ReasonCode::SignInDenied);
        returned("temporarily_unavailable", ReasonCode::SignInProviderUnreachable);
        returned("server_error", ReasonCode::SignInProviderUnreachable);
        returned("invalid_scope", ReasonCode::SignInProviderMisconfigured);
        returned("redirect_uri_mismatch", ReasonCode::SignInProviderMisconfigured);
        let exchanged = |word: &str, expected: ReasonCode| {
            assert_eq!(ProviderError::of_exchange(word).reason(), expected, "{word}")
        };
        exchanged("invalid_grant", ReasonCode::SignInAttemptOver);
        exchanged("bad_verification_code", ReasonCode::SignInAttemptOver);
        exchanged("invalid_client", ReasonCode::SignInProviderMisconfigured);
        exchanged("incorrect_client_credentials", ReasonCode::SignInProviderMisconfigured);
    }

    #[test]
    fn a_strangers_word_is_short_and_plain() {
        let error = ProviderError::of_return(&format!("a b\n\u{1b}[31m{}", "x".repeat(200)));
        assert_eq!(error.to_string(), format!("the provider does not accept this server: ab[31m{}", "x".repeat(58)));
    }
}
