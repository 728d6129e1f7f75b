//! How many people, organizations and invitations there is room for. Each is far above what is known of real ones, and keeps whoever writes
//! a loop from filling the database.

/// Organizations that one person makes within a day, at most: trying things out takes a few.
pub const ORGANIZATIONS_A_DAY: usize = 10;
/// People with a role in a whole organization, at most: a company's support, and the same again.
pub const MEMBERS_MAX: usize = 5_000;
/// Invitations to an organization and its homes that wait, at most: a company that moves its customers over does so in batches.
pub const INVITATIONS_MAX: usize = 1_000;
/// People of one home together with those who are invited to it, at most: a guest house.
pub const HOME_PEOPLE_MAX: usize = 100;
/// Owners of one home, at most. Each gets a mail when support asks.
pub const HOME_OWNERS_MAX: usize = 10;
