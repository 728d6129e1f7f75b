//! A sign-in between leaving for the provider and coming back.

use crate::digest::{random, sha256};
use crate::identity_providers::error::ProviderError;
use data_encoding::BASE64URL_NOPAD;
use kaliun_types::secret::SecretText;
use openidconnect::url::form_urlencoded;

/// Longest value that a provider sends back with somebody, bytes. The longest codes seen have 2 kB.
const VALUE_MAX_BYTES: usize = 4_096;

/// A sign-in that begins.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Where the browser goes.
    pub redirect_to: String,
    /// Names the attempt; the provider sends it back.
    pub state: SecretText,
    /// Stands in the token that answers this attempt. GitHub has no such thing.
    pub nonce: SecretText,
    /// Proves that who exchanges the code is who began.
    pub pkce_verifier: SecretText,
}

/// What was kept of a sign-in that began.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// SHA-256 of the state.
    pub state_hash: [u8; 32],
    /// As in [`Begun`].
    pub nonce: SecretText,
    /// As in [`Begun`].
    pub pkce_verifier: SecretText,
}

impl Begun {
    /// What has to be kept.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        Attempt {
            state_hash: state_hash(self.state.expose()),
            nonce: self.nonce.clone(),
            pkce_verifier: self.pkce_verifier.clone(),
        }
    }
}

/// By what an attempt is found again. Whoever reads the database cannot make a callback of it.
#[must_use]
pub fn state_hash(state: &str) -> [u8; 32] {
    sha256(state.as_bytes())
}

/// A secret that nobody guesses: 256 bits in 43 characters, as PKCE wants its verifier.
pub(crate) fn secret() -> SecretText {
    SecretText::new(BASE64URL_NOPAD.encode(&random::<32>()))
}

/// What a provider sent back with somebody, as it stood in the address.
#[derive(Debug, Clone, Default)]
pub struct Callback {
    /// Names the attempt.
    pub state: Option<SecretText>,
    /// To be exchanged for a token.
    pub code: Option<SecretText>,
    /// Who says that it answers (RFC 9207).
    pub issuer: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

impl Callback {
    /// Reads an address's query. None when something in it stands twice or is too long: no provider sends that.
    #[must_use]
    pub fn of_query(query: &str) -> Option<Self> {
        let mut callback = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.len() > VALUE_MAX_BYTES {
                return None;
            }
            let value = value.into_owned();
            let stood_before = match &*name {
                "state" => callback.state.replace(SecretText::new(value)).is_some(),
                "code" => callback.code.replace(SecretText::new(value)).is_some(),
                "iss" => callback.issuer.replace(value).is_some(),
                "error" => callback.error.replace(value).is_some(),
                _other => false,
            };
            if stood_before {
                return None;
            }
        }
        Some(callback)
    }

    /// The code, if this is the answer to the attempt. `issuer` is whom the attempt went to, and whether it always says who it is.
    ///
    /// # Errors
    /// It is another's answer, or none.
    pub(crate) fn code_for(
        &self,
        attempt: &Attempt,
        issuer: Option<(&str, bool)>,
    ) -> Result<&SecretText, ProviderError> {
        let found = self.state.as_ref().map(|state| state_hash(state.expose()));
        let is_ours = found.is_some_and(|found| {
            aws_lc_rs::constant_time::verify_slices_are_equal(&found, &attempt.state_hash).is_ok()
        });
        if !is_ours {
            return Err(ProviderError::ForeignState);
        }
        if let Some((expected, says_always)) = issuer {
            let is_right = match &self.issuer {
                Some(found) => found == expected,
                None => !says_always,
            };
            if !is_right {
                return Err(ProviderError::ForeignIssuer { expected: expected.to_owned(), found: self.issuer.clone() });
            }
        }
        match (&self.error, &self.code) {
            (Some(error), _) => Err(ProviderError::of_return(error)),
            (None, Some(code)) => Ok(code),
            (None, None) => Err(ProviderError::answer("neither a code nor an error came back")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt() -> Attempt {
        Attempt { state_hash: state_hash("s"), nonce: secret(), pkce_verifier: secret() }
    }

    #[test]
    fn only_the_answer_to_the_attempt_gives_its_code() {
        let check = |query: &str, says_always: bool, expected: &str| {
            let callback = Callback::of_query(query).unwrap();
            let found = match callback.code_for(&attempt(), Some(("https://a.example.org", says_always))) {
                Ok(code) => code.expose().to_owned(),
                Err(error) => error.reason().code().to_owned(),
            };
            assert_eq!(found, expected, "{query}");
        };
        check("state=s&code=c", false, "c");
        check("code=c%2F1&state=s&scope=email+openid", false, "c/1");
        check("state=s&code=c&iss=https%3A%2F%2Fa.example.org", true, "c");
        check("state=t&code=c", false, "sign_in.attempt_over");
        check("code=c", false, "sign_in.attempt_over");
        check("state=&code=c", false, "sign_in.attempt_over");
        check("state=s&code=c", true, "sign_in.answer_invalid");
        check("state=s&code=c&iss=https%3A%2F%2Fb.example.org", false, "sign_in.answer_invalid");
        check("state=s&code=c&iss=https%3A%2F%2Fa.example.org%2F", true, "sign_in.answer_invalid");
        check("state=s&error=access_denied&iss=https%3A%2F%2Fa.example.org", true, "sign_in.denied");
        check("state=t&error=access_denied", false, "sign_in.attempt_over");
        check("state=s&error=server_error&code=c", false, "sign_in.provider_unreachable");
        check("state=s", false, "sign_in.answer_invalid");
    }

    #[test]
    fn what_stands_twice_or_is_too_long_is_no_answer() {
        assert!(Callback::of_query("state=s&state=s").is_none());
        assert!(Callback::of_query("code=c&code=d&state=s").is_none());
        assert!(Callback::of_query(&format!("state=s&code={}", "c".repeat(4_097))).is_none());
        assert!(Callback::of_query(&format!("state=s&code={}", "c".repeat(4_096))).is_some());
        assert!(Callback::of_query("").is_some_and(|callback| callback.state.is_none()));
    }

    #[test]
    fn secrets_differ_and_are_not_shown() {
        let begun = Begun { redirect_to: String::new(), state: secret(), nonce: secret(), pkce_verifier: secret() };
        let secrets = [&begun.state, &begun.nonce, &begun.pkce_verifier].map(SecretText::expose);
        assert!(
            secrets[0] != secrets[1] && secrets[1] != secrets[2] && secrets.iter().all(|secret| secret.len() == 43)
        );
        let shown = format!("{begun:?} {:?}", begun.attempt());
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
}
