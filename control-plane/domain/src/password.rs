//! Which passwords are taken: long ones that are not tried first. No rules about kinds of characters, for they make passwords worse (NIST SP
//! 800-63B-4, section 3.1.1.2).

use thiserror::Error;

/// Shortest password, characters.
pub const PASSWORD_MIN_CHARS: usize = 12;
/// Longest one, bytes: what is hashed is bounded.
pub const PASSWORD_MAX_BYTES: usize = 1024;

/// Fewest different characters: fewer are one key pressed, or two in turn.
const DIFFERENT_MIN: usize = 5;
/// What a password may be made of besides what is known to everybody: fewer other characters than this are guessed in a moment.
const OWN_CHARS_MIN: usize = 6;

/// What is tried first where twelve characters are asked for, in small letters. From lists of passwords that were found in breaches, those
/// that are long enough and not caught by the other rules.
const TRIED_FIRST: [&str; 42] = [
    "administrator",
    "changemeplease",
    "correcthorsebatterystaple",
    "correct horse battery staple",
    "forgetmenot1",
    "homeassistant",
    "home assistant",
    "iloveyouforever",
    "iloveyousomuch",
    "ilovemyfamily",
    "jesuschrist1",
    "letmeinplease",
    "letmein12345",
    "liverpoolfc1",
    "manchesterunited",
    "maryjane1234",
    "mypassword123",
    "newpassword1",
    "nothingness1",
    "p@ssw0rd1234",
    "p@ssword1234",
    "pa55word1234",
    "passw0rd1234",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "princess1234",
    "qazwsxedcrfv",
    "qwerty123456",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "secretsecret",
    "sunshine1234",
    "superman1234",
    "thisismypassword",
    "trustno1trustno1",
    "welcome12345",
    "welcome123456",
    "whatever1234",
    "zaq12wsxcde3",
];

/// Rows of keyboards and the orders that everybody knows, which are typed from left to right or back.
const ORDERS: [&str; 8] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()_+",
];

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WeakPassword {
    /// Too short.
    #[error(
        "must have at least {PASSWORD_MIN_CHARS} characters: three or four words that do not belong together are easy to remember"
    )]
    Short,
    /// Too long.
    #[error("must have at most {PASSWORD_MAX_BYTES} bytes")]
    Long,
    /// One or few characters again and again.
    #[error("repeats itself; take three or four words that do not belong together")]
    Repeats,
    /// A row of keys, or an order.
    #[error("is a row of keys or an order that everybody knows; take three or four words that do not belong together")]
    Order,
    /// Known.
    #[error("is among those that are tried first; take three or four words that do not belong together")]
    Known,
    /// Mostly the person's own address or name, or the product's.
    #[error(
        "is mostly made of your address, your name or the name of this service; take words that do not belong to you"
    )]
    Personal,
}

/// Whether a password is taken. `personal` is what an attacker knows of the person: address, name, the service's name.
///
/// # Errors
/// What is wrong with it, in words that say what would be right.
pub fn check_password(password: &str, personal: &[&str]) -> Result<(), WeakPassword> {
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(WeakPassword::Long);
    }
    if password.chars().count() < PASSWORD_MIN_CHARS {
        return Err(WeakPassword::Short);
    }
    let small = password.to_lowercase();
    let characters: Vec<char> = small.chars().collect();
    let mut different = characters.clone();
    different.sort_unstable();
    different.dedup();
    if different.len() < DIFFERENT_MIN || has_period(&characters) {
        return Err(WeakPassword::Repeats);
    }
    if TRIED_FIRST.contains(&small.as_str()) {
        return Err(WeakPassword::Known);
    }
    let reversed: String = characters.iter().rev().collect();
    let is_in_order = ORDERS.iter().any(|order| {
        let twice = order.repeat(2);
        twice.contains(&small) || twice.contains(&reversed)
    });
    if is_in_order {
        return Err(WeakPassword::Order);
    }
    let mut rest = small;
    for word in personal.iter().flat_map(|text| parts(text)) {
        rest = rest.replace(&word, "");
    }
    if rest.chars().count() < OWN_CHARS_MIN {
        return Err(WeakPassword::Personal);
    }
    Ok(())
}

/// Whether a text is a shorter one, at least three times.
fn has_period(characters: &[char]) -> bool {
    (1..=characters.len() / 3)
        .any(|period| characters.iter().zip(characters.iter().skip(period)).all(|(one, next)| one == next))
}

/// The words of an address or name that are long enough to matter, in small letters, the longest first.
fn parts(text: &str) -> Vec<String> {
    let small = text.to_lowercase();
    let mut words: Vec<String> = small.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
    words.push(small);
    words.retain(|word| word.chars().count() >= 3);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, expected: Result<(), WeakPassword>) {
        let personal = ["anna.berger@example.org", "Anna Berger", "kaliun"];
        assert_eq!(check_password(password, &personal), expected, "{password}");
    }

    #[test]
    fn long_is_enough_unless_everybody_would_guess_it() {
        check("lantern-ostrich-7-graz", Ok(()));
        check("vier worte die nicht passen", Ok(()));
        check("ümläute zählen auch", Ok(()));
        check("elevenchars", Err(WeakPassword::Short));
        check(&"long ".repeat(300), Err(WeakPassword::Long));
        check("aaaaaaaaaaaaaaaa", Err(WeakPassword::Repeats));
        check("abcabcabcabcabc", Err(WeakPassword::Repeats));
        check("hallohallohallohallo", Err(WeakPassword::Repeats));
        check("Password1234", Err(WeakPassword::Known));
        check("Correct Horse Battery Staple", Err(WeakPassword::Known));
        check("1234567890123", Err(WeakPassword::Order));
        check("qwertyuiopasdf", Err(WeakPassword::Order));
        check("0987654321098", Err(WeakPassword::Order));
        check("1q2w3e4r5t6y", Err(WeakPassword::Order));
        check("annaberger1985", Err(WeakPassword::Personal));
        check("Kaliun-Kaliun-1", Err(WeakPassword::Personal));
        check("anna's lantern ostrich", Ok(()));
    }

    #[test]
    fn what_is_listed_is_long_enough_to_be_asked_for() {
        for known in TRIED_FIRST {
            assert!(known.chars().count() >= PASSWORD_MIN_CHARS, "{known}");
            assert!(check_password(known, &[]).is_err(), "{known}");
        }
    }
}
