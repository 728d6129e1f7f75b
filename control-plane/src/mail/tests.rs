//! What mails say, in both forms, and that nobody else's words become more than words.

use super::example::example;
use super::html::html;
use super::message::Message;
use super::text::text;
use super::wording::{Links, letter};
use kaliun_domain::mail::{Mail, MailKind};
use kaliun_types::id::MailId;
use lettre::message::Mailbox;
use std::time::{Duration, SystemTime};

const LINKS: Links<'_> = Links { public_url: "https://fleet.example.org", secret: "the-secret" };

fn from() -> Mailbox {
    "Kaliun Fleet <fleet@example.org>".parse().unwrap()
}

/// Each kind's subject and text, one after another, as a person reviews them.
#[test]
fn what_each_kind_says() {
    let mut all = String::new();
    for kind in MailKind::ALL {
        let letter = letter(&example(kind), &LINKS);
        all.push_str(&format!("=== {} ===\nSubject: {}\n\n{}\n", kind.word(), letter.subject, text(&letter)));
    }
    insta::assert_snapshot!(all);
}

/// Everything that the text says, the HTML says as well, and the other way round.
#[test]
fn both_forms_say_the_same() {
    for kind in MailKind::ALL {
        let letter = letter(&example(kind), &LINKS);
        let page = html(&letter);
        let (text, seen) = (words(&text(&letter)), words(&visible(&page)));
        for word in text.iter().filter(|word| !["--", ">"].contains(&word.as_str())) {
            assert!(seen.contains(word), "{kind:?}: {word:?} is not in the HTML");
        }
        let only_html = words("Kaliun Fleet If the button does nothing, open this address:");
        for word in &seen {
            assert!(text.contains(word) || only_html.contains(word), "{kind:?}: {word:?} is not in the text");
        }
        for fetched in ["<img", "<script", "<link", "url(", "src=", "@import"] {
            assert!(!page.contains(fetched), "{kind:?} fetches something: {fetched}");
        }
    }
}

/// Words without a colon at their end: a button has none.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(|word| word.trim_end_matches(':').to_owned()).collect()
}

/// What a browser shows of a page.
fn visible(page: &str) -> String {
    let body = page.split_once("<body").unwrap().1;
    let mut text = String::new();
    for piece in body.split('<').skip(1) {
        text.push(' ');
        text.push_str(piece.split_once('>').unwrap().1);
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, char)| text.replace(entity, char))
}

#[test]
fn secrets_stand_behind_a_number_sign_and_only_where_they_belong() {
    for kind in MailKind::ALL {
        let letter = letter(&example(kind), &LINKS);
        let said = format!("{}{}{}", letter.subject, text(&letter), html(&letter));
        assert_eq!(said.contains("#the-secret"), kind.secret().is_some(), "{kind:?}");
        assert_eq!(said.matches("the-secret").count(), said.matches("#the-secret").count(), "{kind:?}");
        assert_eq!(letter.action.is_some_and(|action| action.validity.is_some()), kind.secret().is_some(), "{kind:?}");
    }
}

#[test]
fn whoever_did_not_cause_a_mail_reads_what_to_do() {
    for kind in MailKind::ALL {
        let is_answer = kind == MailKind::SupportDecided;
        assert_eq!(letter(&example(kind), &LINKS).otherwise.is_none(), is_answer, "{kind:?}");
    }
}

/// A mail with the same hostile words wherever somebody else's words are.
fn hostile(words: &str) -> Vec<Mail> {
    let text = || words.to_owned();
    vec![
        Mail::ConfirmNewAddress { old_address: text() },
        Mail::AddressChanged { new_address: text() },
        Mail::InvitedToOrganization { organization: text(), role: text(), inviter: text() },
        Mail::InvitedToHome { organization: text(), home: text(), role: text(), inviter: text() },
        Mail::SupportAsks { organization: text(), home: text(), who: text(), reason: text(), duration_minutes: 30 },
        Mail::SupportDecided { home: text(), approved: false, by: text() },
    ]
}

#[test]
fn hostile_names_become_no_tags() {
    for mail in hostile("\"><script>alert('1')</script><a href=\"https://evil.example/\">&amp;") {
        let page = html(&letter(&mail, &LINKS));
        assert!(!page.contains("<script") && !page.contains("evil.example/\">"), "{page}");
        assert!(page.contains("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), "{page}");
        assert!(!page.contains("https://evil"), "{page}");
    }
}

/// The headers of a message, each on its line.
fn headers(message: &Message) -> Vec<String> {
    let text = String::from_utf8(message.bytes.clone()).unwrap();
    let (head, _body) = text.split_once("\r\n\r\n").unwrap();
    head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect()
}

#[test]
fn hostile_names_become_no_headers() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for words in
        ["x\r\nBcc: everybody@example.org\r\n\r\n<b>", "x\nBcc: a@example.org", "x\rBcc: a@example.org", "ü\r\nBcc: a"]
    {
        for mail in hostile(words) {
            let letter = letter(&mail, &LINKS);
            assert!(!letter.subject.contains(['\r', '\n']), "{:?}", letter.subject);
            let message = Message::new(MailId::new(), &letter, &from(), "ada@example.org", now).unwrap();
            let names: Vec<String> =
                headers(&message).iter().map(|header| header.split(':').next().unwrap().to_owned()).collect();
            let expected =
                ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
            assert_eq!(names, expected, "{words:?}");
        }
    }
}

#[test]
fn hostile_addresses_are_refused() {
    let now = SystemTime::UNIX_EPOCH;
    let letter = letter(&Mail::NoAccount {}, &LINKS);
    for to in [
        "",
        "ada",
        "ada@",
        "ada@example.org\r\nRCPT TO:<eve@example.org>",
        "ada@example.org, eve@example.org",
        "<ada@example.org>",
    ] {
        assert!(Message::new(MailId::new(), &letter, &from(), to, now).is_err(), "{to:?}");
    }
    assert!(Message::new(MailId::new(), &letter, &from(), "ada+fleet@example.org", now).is_ok());
}

#[test]
fn a_message_is_ascii_with_short_lines_and_the_same_id_each_time() {
    let id = MailId::new();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for kind in MailKind::ALL {
        let message = Message::new(id, &letter(&example(kind), &LINKS), &from(), "ada@example.org", now).unwrap();
        assert!(message.bytes.is_ascii() && message.has_ascii_addresses(), "{kind:?}");
        let longest = message.bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
        assert!(longest.unwrap() < 1_000, "{kind:?}: {longest:?}");
        assert!(headers(&message).contains(&format!("Message-ID: <{id}@example.org>")), "{kind:?}");
    }
}
