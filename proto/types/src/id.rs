//! One newtype for each kind of id, so that one cannot be taken for another.

/// Makes a newtype over a UUID with parsing, printing and, with the feature `postgres`, conversion from and to a column.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Makes a new id (UUID version 7: ordered by time of making).
            #[cfg(feature = "generate")]
            #[must_use]
            #[expect(clippy::new_without_default, reason = "an id is made on purpose, never by default")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }

            /// Wraps a UUID that is already known to name this kind of thing.
            #[must_use]
            pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn as_uuid(&self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0.as_hyphenated(), formatter)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0.as_hyphenated())
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                uuid::Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { kind: stringify!($name) })
            }
        }

        #[cfg(feature = "postgres")]
        impl postgres_types::ToSql for $name {
            fn to_sql(
                &self,
                sql_type: &postgres_types::Type,
                out: &mut postgres_types::private::BytesMut,
            ) -> Result<postgres_types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
                self.0.to_sql(sql_type, out)
            }

            fn accepts(sql_type: &postgres_types::Type) -> bool {
                <uuid::Uuid as postgres_types::ToSql>::accepts(sql_type)
            }

            postgres_types::to_sql_checked!();
        }

        #[cfg(feature = "postgres")]
        impl<'a> postgres_types::FromSql<'a> for $name {
            fn from_sql(
                sql_type: &postgres_types::Type,
                raw: &'a [u8],
            ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
                <uuid::Uuid as postgres_types::FromSql>::from_sql(sql_type, raw).map(Self)
            }

            fn accepts(sql_type: &postgres_types::Type) -> bool {
                <uuid::Uuid as postgres_types::FromSql>::accepts(sql_type)
            }
        }
    };
}

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: expected a UUID such as 018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11")]
pub struct InvalidId {
    kind: &'static str,
}

uuid_id! {
    /// A tenant.
    OrganizationId
}
uuid_id! {
    /// A home.
    InstallationId
}
uuid_id! {
    /// One box with its own key.
    DeviceId
}
uuid_id! {
    /// One boot of a box, as its kernel names it.
    BootId
}
uuid_id! {
    /// A box that waits to be enrolled.
    EnrollmentId
}
uuid_id! {
    /// A token that boxes enrol with.
    JoinTokenId
}
uuid_id! {
    /// A token that automation signs in with.
    ApiTokenId
}
uuid_id! {
    /// A person's account.
    AccountId
}
uuid_id! {
    /// Somebody signed in, in a browser or with fleetctl.
    SessionId
}
uuid_id! {
    /// Somebody who asked for an account.
    SignUpId
}
uuid_id! {
    /// A machine that asks to be signed in.
    LoginId
}
uuid_id! {
    /// Somebody asked into an organization or a home.
    InvitationId
}
uuid_id! {
    /// An owner's leave for somebody of support.
    ConsentId
}
uuid_id! {
    /// What an account's person is at an identity provider.
    IdentityId
}
uuid_id! {
    /// A rule by which a claim gives a role.
    ClaimRuleId
}
uuid_id! {
    /// A mail that is to be sent, or was.
    MailId
}
uuid_id! {
    /// A secret in a mail's link; not the secret itself.
    MailedSecretId
}
uuid_id! {
    /// One running control plane process.
    ReplicaId
}

/// Number of a device's session; a higher one fences all lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionEpoch(pub i64);

impl std::fmt::Display for SessionEpoch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, formatter)
    }
}

/// The URI that names a device inside its certificate.
#[must_use]
pub fn device_uri(device: DeviceId) -> String {
    format!("{DEVICE_URI_PREFIX}{device}")
}

/// Reads the URI of a device certificate.
///
/// # Errors
/// The text does not begin with `urn:kaliun:device:` or what follows is not a UUID.
pub fn parse_device_uri(uri: &str) -> Result<DeviceId, InvalidId> {
    uri.strip_prefix(DEVICE_URI_PREFIX).ok_or(InvalidId { kind: "DeviceId" })?.parse()
}

const DEVICE_URI_PREFIX: &str = "urn:kaliun:device:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_uri_round_trips() {
        let device: DeviceId = "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".parse().unwrap();
        assert_eq!(parse_device_uri(&device_uri(device)), Ok(device));
    }

    #[test]
    fn another_uri_is_refused() {
        assert!(parse_device_uri("urn:kaliun:home:018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11").is_err());
        assert!(parse_device_uri("urn:kaliun:device:").is_err());
    }
}
