//! What is stored of mails reads back for ever.

use super::*;
use serde_json::{Value, json};

/// Each kind as the first version stored it. Never changed: databases hold it.
fn stored_v1() -> Vec<(Mail, Value)> {
    let text = str::to_owned;
    vec![
        (Mail::ConfirmAddress {}, json!({"kind": "confirm_address", "parameters": {}})),
        (Mail::AlreadyHasAccount {}, json!({"kind": "already_has_account", "parameters": {}})),
        (Mail::ResetPassword {}, json!({"kind": "reset_password", "parameters": {}})),
        (Mail::NoAccount {}, json!({"kind": "no_account", "parameters": {}})),
        (
            Mail::ConfirmNewAddress { old_address: text("a@example.org") },
            json!({"kind": "confirm_new_address", "parameters": {"old_address": "a@example.org"}}),
        ),
        (
            Mail::AddressChanged { new_address: text("b@example.org") },
            json!({"kind": "address_changed", "parameters": {"new_address": "b@example.org"}}),
        ),
        (Mail::PasswordChanged {}, json!({"kind": "password_changed", "parameters": {}})),
        (
            Mail::InvitedToOrganization { organization: text("Acme"), role: text("operator"), inviter: text("Ada") },
            json!({"kind": "invited_to_organization",
                   "parameters": {"organization": "Acme", "role": "operator", "inviter": "Ada"}}),
        ),
        (
            Mail::InvitedToHome {
                organization: text("Acme"),
                home: text("Lakeside"),
                role: text("member"),
                inviter: text("Ada"),
            },
            json!({"kind": "invited_to_home",
                   "parameters": {"organization": "Acme", "home": "Lakeside", "role": "member", "inviter": "Ada"}}),
        ),
        (
            Mail::SupportAsks {
                organization: text("Acme"),
                home: text("Lakeside"),
                who: text("Bo"),
                reason: text("no light"),
                duration_minutes: 120,
            },
            json!({"kind": "support_asks",
                   "parameters": {"organization": "Acme", "home": "Lakeside", "who": "Bo", "reason": "no light",
                                  "duration_minutes": 120}}),
        ),
        (
            Mail::SupportDecided { home: text("Lakeside"), approved: true, by: text("Ada") },
            json!({"kind": "support_decided", "parameters": {"home": "Lakeside", "approved": true, "by": "Ada"}}),
        ),
        (Mail::AccountDeleted {}, json!({"kind": "account_deleted", "parameters": {}})),
    ]
}

#[test]
fn what_any_version_stored_reads_back() {
    let all = stored_v1();
    let kinds: Vec<MailKind> = all.iter().map(|(mail, _)| mail.kind()).collect();
    assert_eq!(kinds, MailKind::ALL, "a kind without a stored form");
    for (mail, stored) in all {
        assert_eq!(serde_json::to_value(&mail).unwrap(), stored);
        assert_eq!(stored.get("kind").unwrap(), mail.kind().word());
        assert_eq!(serde_json::from_value::<Mail>(stored).unwrap(), mail);
    }
}

#[test]
fn every_purpose_has_a_mail_and_no_notice_has_a_secret() {
    for purpose in SecretPurpose::ALL {
        assert!(MailKind::ALL.iter().any(|kind| kind.secret() == Some(purpose)), "{purpose:?}");
    }
    for kind in MailKind::ALL {
        assert!(kind.secret().is_none() || !kind.is_notice(), "{kind:?}");
    }
}
