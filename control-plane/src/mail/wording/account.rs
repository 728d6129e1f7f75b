//! Letters about the reader's own account.

use super::{Links, plain};
use crate::mail::letter::{BRAND, Letter, name};
use kaliun_domain::mailed_secret::SecretPurpose;

/// What somebody can do whose account is not theirs any more.
const ASK_FOR_HELP: &str =
    "If this was not you, somebody else has your account: write to whoever runs this control plane at once.";

pub(super) fn confirm_address(links: &Links<'_>) -> Letter {
    let said = [
        "Somebody, probably you, wants an account with this address.",
        "Open the link and enter the password that you chose. Then the account is there, and you are signed in.",
    ];
    Letter {
        action: Some(links.secret("Confirm this address", SecretPurpose::ConfirmAddress)),
        otherwise: Some("If this was not you, do nothing: without the link there is no account."),
        ..plain(links, format!("Confirm your address for {BRAND}"), "Confirm your address", said.map(str::to_owned))
    }
}

pub(super) fn already_has_account(links: &Links<'_>) -> Letter {
    let said = [
        "Somebody, probably you, tried to make an account with this address. There is one already.",
        "Sign in with it. If you do not know the password any more, the same page sends you a link for a new one.",
    ];
    Letter {
        action: Some(links.page("Sign in", "/sign-in")),
        otherwise: Some("If this was not you, do nothing: nothing was changed, and whoever tried was told nothing."),
        ..plain(
            links,
            format!("You already have an account at {BRAND}"),
            "You already have an account",
            said.map(str::to_owned),
        )
    }
}

pub(super) fn reset_password(links: &Links<'_>) -> Letter {
    let said = "Somebody, probably you, asked for a new password for the account with this address.";
    Letter {
        action: Some(links.secret("Choose a new password", SecretPurpose::ResetPassword)),
        otherwise: Some("If this was not you, do nothing: your password stays as it is."),
        ..plain(links, format!("Choose a new password for {BRAND}"), "Choose a new password", [said.to_owned()])
    }
}

pub(super) fn no_account(links: &Links<'_>) -> Letter {
    let said = [
        "Somebody, probably you, asked for a new password, but no account has this address.",
        "You may have signed up with another address, or sign in through your company or another service.",
    ];
    Letter {
        action: Some(links.page("Open Kaliun Fleet", "/")),
        otherwise: Some("If this was not you, do nothing: no account was made."),
        ..plain(
            links,
            format!("No account at {BRAND} has this address"),
            "No account has this address",
            said.map(str::to_owned),
        )
    }
}

pub(super) fn confirm_new_address(links: &Links<'_>, old_address: &str) -> Letter {
    let said = format!("The account of {} is to have this address from now on.", name(old_address));
    Letter {
        action: Some(links.secret("Use this address", SecretPurpose::ChangeAddress)),
        otherwise: Some("If this was not you, do nothing: the account keeps its old address."),
        ..plain(links, format!("Confirm your new address for {BRAND}"), "Confirm your new address", [said])
    }
}

pub(super) fn address_changed(links: &Links<'_>, new_address: &str) -> Letter {
    let said = format!(
        "Your account has the address {} now. You sign in with that one, and mails about the account do not come here any more.",
        name(new_address)
    );
    Letter {
        otherwise: Some(ASK_FOR_HELP),
        ..plain(links, format!("Your address at {BRAND} was changed"), "Your address was changed", [said])
    }
}

pub(super) fn password_changed(links: &Links<'_>) -> Letter {
    let said = "The account with this address has a new password.";
    Letter {
        action: Some(links.page("Sign in", "/sign-in")),
        otherwise: Some(
            "If this was not you, let the sign-in page send you a link for a new password at once, and then end the sessions that \
             you do not know.",
        ),
        ..plain(links, format!("Your password at {BRAND} was changed"), "Your password was changed", [said.to_owned()])
    }
}

pub(super) fn account_deleted(links: &Links<'_>) -> Letter {
    let said = "The account with this address is gone. This is the last mail about it.";
    Letter {
        otherwise: Some("If this was not you, write to whoever runs this control plane at once."),
        ..plain(links, format!("Your account at {BRAND} was deleted"), "Your account was deleted", [said.to_owned()])
    }
}
