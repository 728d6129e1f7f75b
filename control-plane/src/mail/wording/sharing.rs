//! Letters about what several people share: organizations, homes, and support's consent.

use super::{Links, plain};
use crate::mail::letter::{BRAND, Letter, name, reason};
use kaliun_domain::mailed_secret::SecretPurpose;

/// Whoever is invited need not know who invites.
const NOT_EXPECTED: &str = "If you do not know who this is, do nothing: nothing happens without the link.";

pub(super) fn invited_to_organization(links: &Links<'_>, organization: &str, role: &str, inviter: &str) -> Letter {
    let organization = name(organization);
    let said =
        format!("{} invites you to the organization “{organization}” at {BRAND}, as {}.", name(inviter), name(role));
    Letter {
        action: Some(links.secret("See the invitation", SecretPurpose::Invitation)),
        otherwise: Some(NOT_EXPECTED),
        ..plain(links, format!("Invitation to “{organization}” at {BRAND}"), "You are invited", [said])
    }
}

pub(super) fn invited_to_home(links: &Links<'_>, organization: &str, home: &str, role: &str, inviter: &str) -> Letter {
    let home = name(home);
    let said = format!(
        "{} invites you to share the home “{home}”, as {}. “{}” looks after its box with {BRAND}.",
        name(inviter),
        name(role),
        name(organization)
    );
    Letter {
        action: Some(links.secret("See the invitation", SecretPurpose::Invitation)),
        otherwise: Some(NOT_EXPECTED),
        ..plain(links, format!("Invitation to the home “{home}” at {BRAND}"), "You are invited", [said])
    }
}

pub(super) fn support_asks(
    links: &Links<'_>,
    organization: &str,
    home: &str,
    who: &str,
    why: &str,
    length: &str,
) -> Letter {
    let home = name(home);
    let said = [
        format!(
            "{} of “{}” asks to reach the box of your home “{home}” for {length}. Nobody of them can before you say yes.",
            name(who),
            name(organization)
        ),
        "A yes ends by itself after that time, you can end it before, and what they do is written down for you to read. This is \
         why they ask:"
            .to_owned(),
    ];
    Letter {
        quote: Some(reason(why)),
        action: Some(links.page("Say yes or no", "/consents")),
        otherwise: Some("If you asked nobody for help, say no: your home goes on as it does now."),
        ..plain(links, format!("Support asks to reach “{home}”"), "Support asks for your consent", said)
    }
}

pub(super) fn support_decided(links: &Links<'_>, home: &str, approved: bool, by: &str) -> Letter {
    let (home, by) = (name(home), name(by));
    let (answer, heading, said) = if approved {
        (
            "Yes",
            "You may reach the home",
            "Your access ends by itself, and what you do is written down for the owner to read.",
        )
    } else {
        ("No", "You may not reach the home", "You can ask again, with another reason.")
    };
    let paragraphs = [
        format!("{by} said {} to your request to reach the box of the home “{home}”.", answer.to_lowercase()),
        said.to_owned(),
    ];
    Letter {
        action: Some(links.page("See the request", "/consents")),
        ..plain(links, format!("{answer} to reaching “{home}”"), heading, paragraphs)
    }
}
