//! Which page an address means.

/// The pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// What the person begins with: the list of boxes, or their home.
    Start,
    /// One box, by its id.
    Device(String),
    /// Taking a box in.
    Claim,
    /// Boxes that wait for an operator.
    Waiting,
    /// Signing in, and going on to where the address says.
    SignIn,
    /// Asking for an account.
    SignUp,
    /// What somebody who asked for an account waits for.
    SignUpSent,
    /// Finishing a sign-up with the link of its mail.
    Confirm,
    /// Asking for a mail with which the password can be set anew.
    Forgot,
    /// Setting the password anew with the link of that mail.
    Reset,
    /// Changing the address with the link of its mail.
    ChangeAddress,
    /// What an invitation is to.
    Invitation,
    /// Letting `fleetctl login` in.
    LoginDevice,
    /// The person's own account.
    Account,
    /// Making an organization.
    NewOrganization,
    /// The organization and its people.
    Organization,
    /// The homes.
    Homes,
    /// One home, by its id.
    Home(String),
    /// Support's ways into homes.
    Consents,
    /// People who wait for an account of this server.
    SignUps,
    /// There is no such page.
    Unknown,
}

impl Route {
    /// Reads the path of an address, without its query.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next()) {
            (None | Some("devices"), None, None) => Self::Start,
            (Some("devices"), Some(id), None) => Self::Device(id.to_owned()),
            (Some("claim"), None, None) => Self::Claim,
            (Some("waiting"), None, None) => Self::Waiting,
            (Some("sign-in"), None, None) => Self::SignIn,
            (Some("sign-up"), None, None) => Self::SignUp,
            (Some("sign-up"), Some("sent"), None) => Self::SignUpSent,
            (Some("confirm"), None, None) => Self::Confirm,
            (Some("forgot"), None, None) => Self::Forgot,
            (Some("reset"), None, None) => Self::Reset,
            (Some("change-address"), None, None) => Self::ChangeAddress,
            (Some("invitation"), None, None) => Self::Invitation,
            (Some("login-device"), None, None) => Self::LoginDevice,
            (Some("account"), None, None) => Self::Account,
            (Some("organizations"), Some("new"), None) => Self::NewOrganization,
            (Some("organization"), None, None) => Self::Organization,
            (Some("homes"), None, None) => Self::Homes,
            (Some("homes"), Some(id), None) => Self::Home(id.to_owned()),
            (Some("consents"), None, None) => Self::Consents,
            (Some("sign-ups"), None, None) => Self::SignUps,
            (_, _, _) => Self::Unknown,
        }
    }

    /// Whether the page is there for people who are not signed in.
    #[must_use]
    pub const fn is_open_to_all(&self) -> bool {
        match self {
            Self::SignUp
            | Self::SignUpSent
            | Self::Confirm
            | Self::Forgot
            | Self::Reset
            | Self::ChangeAddress
            | Self::Invitation => true,
            Self::Start
            | Self::Device(_)
            | Self::Claim
            | Self::Waiting
            | Self::SignIn
            | Self::LoginDevice
            | Self::Account
            | Self::NewOrganization
            | Self::Organization
            | Self::Homes
            | Self::Home(_)
            | Self::Consents
            | Self::SignUps
            | Self::Unknown => false,
        }
    }

    /// Whether the page is there for people who belong to no organization.
    #[must_use]
    pub const fn needs_no_organization(&self) -> bool {
        matches!(self, Self::Account | Self::NewOrganization | Self::LoginDevice | Self::Unknown)
    }

    /// Whether the part of the address behind "#" is a secret, which must not stay there.
    #[must_use]
    pub const fn takes_secret(&self) -> bool {
        matches!(self, Self::Confirm | Self::Reset | Self::ChangeAddress | Self::Invitation)
    }
}

/// Where to go after the sign-in: an address of this dashboard. Anything else, such as the address of another site, is the start.
#[must_use]
pub fn return_path(text: &str) -> &str {
    let is_local = text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = text.split(['?', '#']).next().unwrap_or_default();
    if is_local && Route::of_path(path) != Route::SignIn { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_mean_pages() {
        let check = |path: &str, expected: Route| assert_eq!(Route::of_path(path), expected, "{path}");
        check("/", Route::Start);
        check("/devices", Route::Start);
        check("/devices/7", Route::Device("7".to_owned()));
        check("/devices/7/", Route::Device("7".to_owned()));
        check("/devices/7/x", Route::Unknown);
        check("/claim", Route::Claim);
        check("/claims", Route::Unknown);
        check("/waiting", Route::Waiting);
        check("/waiting/7", Route::Unknown);
        check("/sign-in", Route::SignIn);
        check("/sign-up", Route::SignUp);
        check("/sign-up/sent", Route::SignUpSent);
        check("/sign-up/other", Route::Unknown);
        check("/organizations/new", Route::NewOrganization);
        check("/organizations", Route::Unknown);
        check("/homes/7", Route::Home("7".to_owned()));
        check("/login-device", Route::LoginDevice);
    }

    #[test]
    fn what_takes_a_secret_is_open_to_all() {
        for path in ["/confirm", "/reset", "/change-address", "/invitation"] {
            let route = Route::of_path(path);
            assert!(route.takes_secret() && route.is_open_to_all(), "{path}");
        }
        for path in ["/", "/account", "/login-device", "/consents"] {
            let route = Route::of_path(path);
            assert!(!route.takes_secret() && !route.is_open_to_all(), "{path}");
        }
    }

    #[test]
    fn the_way_back_leads_nowhere_else() {
        let check = |text: &str, expected: &str| assert_eq!(return_path(text), expected, "{text:?}");
        check("/login-device?code=BDWP-HQPK", "/login-device?code=BDWP-HQPK");
        check("/homes/7", "/homes/7");
        check("", "/");
        check("homes", "/");
        check("//elsewhere.example", "/");
        check("/\\elsewhere.example", "/");
        check("/\t/elsewhere.example", "/");
        check("https://elsewhere.example/", "/");
        check("javascript:alert(1)", "/");
        check("/sign-in?return=/sign-in", "/");
    }
}
