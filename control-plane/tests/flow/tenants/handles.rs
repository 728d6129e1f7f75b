//! What a caller can name.

use super::people::PeopleHandles;

/// Ids, names, codes and places in lists. Those of another tenant must be worth no more than those of nobody.
#[derive(Debug, Clone)]
pub(crate) struct Handles {
    pub(crate) device_id: String,
    pub(crate) device_name: String,
    pub(crate) device_version: u64,
    /// A device that the database does not know and that came back.
    pub(crate) returned_device_id: String,
    /// Value of the label `site`.
    pub(crate) site: String,
    pub(crate) installation_id: String,
    pub(crate) installation_name: String,
    pub(crate) join_token_id: String,
    pub(crate) join_token_title: String,
    pub(crate) api_token_id: String,
    pub(crate) api_token_title: String,
    pub(crate) account_id: String,
    pub(crate) session_id: String,
    /// Of a machine that somebody said yes to.
    pub(crate) user_code: String,
    pub(crate) email: String,
    /// Of the account, at a provider.
    pub(crate) identity_id: String,
    pub(crate) domain: String,
    pub(crate) claim_rule_id: String,
    /// A claim code that was used.
    pub(crate) claim_code: String,
    /// Boxes that wait for the tenant's operators.
    pub(crate) enrollment_id: String,
    pub(crate) other_enrollment_id: String,
    pub(crate) people: PeopleHandles,
    pub(crate) pages: Pages,
}

/// Where the second page of each list begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    /// In the order of `DeviceOrder`, beginning with the first that is specified.
    pub(crate) devices: Vec<String>,
    pub(crate) sessions: String,
    pub(crate) join_tokens: String,
    pub(crate) api_tokens: String,
    pub(crate) installations: String,
    pub(crate) events: String,
    pub(crate) device_events: String,
    pub(crate) certificates: String,
    pub(crate) findings: String,
    pub(crate) audit: String,
    pub(crate) enrollments: String,
}

impl Handles {
    /// Handles of nobody.
    pub(crate) fn of_nobody() -> Self {
        let id = || kaliun_types::id::DeviceId::new().to_string();
        // As long as a token that leads to a device's name, and made by nobody.
        let page = || data_encoding::BASE64URL_NOPAD.encode(&[0x5a; 32]);
        Self {
            device_id: id(),
            device_name: "nobody-cellar".to_owned(),
            device_version: 1,
            returned_device_id: id(),
            site: "nobody-site".to_owned(),
            installation_id: id(),
            installation_name: "nobody second home".to_owned(),
            join_token_id: id(),
            join_token_title: "nobody join".to_owned(),
            api_token_id: id(),
            api_token_title: "nobody api".to_owned(),
            account_id: id(),
            session_id: id(),
            user_code: "ZZZZDDDD".to_owned(),
            email: "nobody@example.org".to_owned(),
            identity_id: id(),
            domain: "nobody.example.net".to_owned(),
            claim_rule_id: id(),
            claim_code: "AC34-67DX".to_owned(),
            enrollment_id: id(),
            other_enrollment_id: id(),
            people: PeopleHandles::of_nobody(id, page),
            pages: Pages {
                devices: vec![page(), page(), page(), page()],
                sessions: page(),
                join_tokens: page(),
                api_tokens: page(),
                installations: page(),
                events: page(),
                device_events: page(),
                certificates: page(),
                findings: page(),
                audit: page(),
                enrollments: page(),
            },
        }
    }

    /// A text without what the caller brought into it.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        let known = [
            ("device id", &self.device_id),
            ("device name", &self.device_name),
            ("returned device id", &self.returned_device_id),
            ("site", &self.site),
            ("installation id", &self.installation_id),
            ("installation name", &self.installation_name),
            ("join token id", &self.join_token_id),
            ("join token title", &self.join_token_title),
            ("api token id", &self.api_token_id),
            ("api token title", &self.api_token_title),
            ("account id", &self.account_id),
            ("session id", &self.session_id),
            ("user code", &self.user_code),
            ("email", &self.email),
            ("identity id", &self.identity_id),
            ("domain", &self.domain),
            ("claim rule id", &self.claim_rule_id),
            ("claim code", &self.claim_code),
            ("enrollment id", &self.enrollment_id),
            ("other enrollment id", &self.other_enrollment_id),
        ];
        known
            .into_iter()
            .chain(self.people.known())
            .fold(text.to_owned(), |text, (name, value)| text.replace(value, &format!("<{name}>")))
    }
}
