//! Lists that come in pages.

use crate::cli::ListArguments;
use crate::failure::{Failure, Kind};

/// How much of a list is wanted, and in which portions.
#[derive(Debug, Clone)]
pub(crate) struct Paging {
    /// Longest list; `None` for all of it.
    pub(crate) limit: Option<u32>,
    /// Items in one answer: 1 to 500.
    pub(crate) chunk_size: u32,
    /// Where to go on; empty for the beginning.
    pub(crate) page_token: String,
}

impl Paging {
    /// All of it, in the largest portions.
    pub(crate) const ALL: Self =
        Self { limit: None, chunk_size: kaliun_types::limits::PAGE_SIZE_MAX, page_token: String::new() };
}

impl From<&ListArguments> for Paging {
    fn from(arguments: &ListArguments) -> Self {
        let page_token = arguments.page_token.clone().unwrap_or_default();
        Self { limit: arguments.limit, page_token, ..Self::ALL }
    }
}

/// A list as it was fetched.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Listing<T> {
    pub(crate) items: Vec<T>,
    /// Where to go on; `None` when nothing is left.
    pub(crate) next_page_token: Option<String>,
}

/// Fetches pages until the end or the limit.
pub(crate) async fn collect<T>(
    paging: &Paging,
    mut fetch: impl AsyncFnMut(u32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Listing<T>, Failure> {
    let mut items = Vec::new();
    let mut token = paging.page_token.clone();
    loop {
        let taken = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let wanted = paging.limit.map_or(paging.chunk_size, |limit| limit.saturating_sub(taken).min(paging.chunk_size));
        if wanted == 0 {
            return Ok(Listing { items, next_page_token: Some(token) });
        }
        let (page, next) = fetch(wanted, token.clone()).await?;
        if next == token && !next.is_empty() {
            return Err(Failure::new(
                Kind::General,
                "the server sends the same page again and again",
                "compare the versions with `fleetctl version`, and report this",
            ));
        }
        items.extend(page);
        if next.is_empty() {
            return Ok(Listing { items, next_page_token: None });
        }
        token = next;
    }
}
