//! Which page an address means.

/// The pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The list of boxes.
    Devices,
    /// One box, by its id.
    Device(String),
    /// Taking a box in.
    Claim,
    /// Boxes that wait for an operator.
    Waiting,
    /// There is no such page.
    Unknown,
}

impl Route {
    /// Reads the path of an address, without its query.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next()) {
            (None | Some("sign-in" | "devices"), None, None) => Self::Devices,
            (Some("devices"), Some(id), None) => Self::Device(id.to_owned()),
            (Some("claim"), None, None) => Self::Claim,
            (Some("waiting"), None, None) => Self::Waiting,
            (_, _, _) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_mean_pages() {
        let check = |path: &str, expected: Route| assert_eq!(Route::of_path(path), expected, "{path}");
        check("/", Route::Devices);
        check("/sign-in", Route::Devices);
        check("/devices", Route::Devices);
        check("/devices/7", Route::Device("7".to_owned()));
        check("/devices/7/", Route::Device("7".to_owned()));
        check("/devices/7/x", Route::Unknown);
        check("/claim", Route::Claim);
        check("/claims", Route::Unknown);
        check("/waiting", Route::Waiting);
        check("/waiting/7", Route::Unknown);
    }
}
