//! Roles in words: what they are called, and what they may.

use kaliun_proto::fleet::v1::{HomeRole, Role};

/// The roles in an organization, the most first.
pub const ROLES: [Role; 4] = [Role::Admin, Role::Operator, Role::Support, Role::Viewer];
/// The roles in a home, the most first.
pub const HOME_ROLES: [HomeRole; 3] = [HomeRole::Owner, HomeRole::Installer, HomeRole::Member];

/// What a role is called; empty for none.
#[must_use]
pub const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Admin => "administrator",
        Role::Operator => "operator",
        Role::Support => "support",
        Role::Viewer => "viewer",
        Role::Unspecified => "",
    }
}

/// What somebody with a role may do, as a sentence; empty for none.
#[must_use]
pub const fn role_sentence(role: Role) -> &'static str {
    match role {
        Role::Admin => "Runs the organization: its people, its tokens and everything else.",
        Role::Operator => "Runs the fleet: adds, changes and removes boxes and homes.",
        Role::Support => "Sees the fleet, and looks into a home when its owner says yes.",
        Role::Viewer => "Sees the fleet and changes nothing.",
        Role::Unspecified => "",
    }
}

/// What a role in a home is called; empty for none.
#[must_use]
pub const fn home_role_word(role: HomeRole) -> &'static str {
    match role {
        HomeRole::Owner => "owner",
        HomeRole::Installer => "installer",
        HomeRole::Member => "member",
        HomeRole::Unspecified => "",
    }
}

/// What somebody with a role in a home may do, as a sentence; empty for none.
#[must_use]
pub const fn home_role_sentence(role: HomeRole) -> &'static str {
    match role {
        HomeRole::Owner => "Decides about its boxes, its people, and who of support may look in.",
        HomeRole::Installer => "Sets the home up: adds boxes and gives them names.",
        HomeRole::Member => "Sees the home and changes nothing.",
        HomeRole::Unspecified => "",
    }
}

/// The role with this word; none for any other word.
#[must_use]
pub fn role_of_word(word: &str) -> Role {
    ROLES.into_iter().find(|role| role_word(*role) == word).unwrap_or(Role::Unspecified)
}

/// The role in a home with this word; none for any other word.
#[must_use]
pub fn home_role_of_word(word: &str) -> HomeRole {
    HOME_ROLES.into_iter().find(|role| home_role_word(*role) == word).unwrap_or(HomeRole::Unspecified)
}

/// A word as the beginning of a line: "operator" is "Operator".
#[must_use]
pub fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for role in ROLES {
            assert_eq!(role_of_word(role_word(role)), role);
            assert!(role_sentence(role).ends_with('.'));
        }
        for role in HOME_ROLES {
            assert_eq!(home_role_of_word(home_role_word(role)), role);
            assert!(home_role_sentence(role).ends_with('.'));
        }
        assert_eq!(role_of_word(""), Role::Unspecified);
        assert_eq!(home_role_of_word("guest"), HomeRole::Unspecified);
    }

    #[test]
    fn a_word_begins_a_line() {
        assert_eq!(capital("operator"), "Operator");
        assert_eq!(capital(""), "");
    }
}
