//! The file of identity providers: one `[[provider]]` table each, checked as a whole before any socket opens.

use crate::identity_providers::outward::is_secure;
use http::Uri;
use kaliun_types::secret::SecretText;
use kaliun_types::text::line_of;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Most providers: as many buttons as a page of sign-in can still show.
const PROVIDERS_MAX: usize = 16;
/// Longest id, characters: it stands in addresses.
const ID_MAX_CHARS: usize = 32;
/// Longest name, characters: it stands on a button.
const NAME_MAX_CHARS: usize = 40;
/// Most scopes, and the longest, bytes: they stand in one address.
const SCOPES_MAX: usize = 32;
const SCOPE_MAX_BYTES: usize = 128;
const GOOGLE_ISSUER: &str = "https://accounts.google.com";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";

/// One provider, checked.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Names it in addresses and in the database: a-z, 0-9 and -, 1 to 32.
    pub id: String,
    /// What its button says, 1 to 40 characters.
    pub name: String,
    /// Who we are to it.
    pub client_id: String,
    /// Proof of that. None: a public client, for which PKCE stands alone.
    pub client_secret: Option<SecretText>,
    /// What it is asked for.
    pub scopes: Vec<String>,
    /// Whether an address that it calls verified counts as confirmed.
    pub trust_email: bool,
    /// Certificate authorities that it is checked with beside the machine's own.
    pub ca_file: Option<PathBuf>,
    /// How it is spoken to.
    pub speaks: Speaks,
}

/// How a provider is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaks {
    /// OpenID Connect, with everything discovered from the issuer.
    OpenIdConnect {
        /// The issuer, to the letter as it calls itself.
        issuer: String,
    },
    /// GitHub's OAuth.
    GitHub {
        /// Where people sign in, without a slash at the end.
        base_url: String,
        /// Where programs ask, without a slash at the end.
        api_url: String,
    },
}

/// Why the file is refused.
#[derive(Debug, Error)]
pub enum ProvidersFileError {
    /// It cannot be read.
    #[error("identity_providers_file: {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("identity_providers_file: {}, line {line}: {problem}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong. The parser's own words would quote the line, which may hold a secret in the wrong place.
        problem: String,
    },
    /// Keys do not fit.
    #[error("identity_providers_file: {} is wrong:{problems}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// All of it, each with its provider and its key.
        problems: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    id: String,
    kind: Kind,
    name: Option<String>,
    issuer: Option<String>,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    base_url: Option<String>,
    api_url: Option<String>,
    trust_email: Option<bool>,
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Oidc,
    Google,
    Github,
}

/// Reads the file, and the files with secrets that it names.
///
/// # Errors
/// All that is wrong with it, see [`ProvidersFileError`].
pub fn read(path: &Path) -> Result<Vec<ProviderSettings>, ProvidersFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ProvidersFileError::Unreadable { path: path.to_owned(), source })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<ProviderSettings>, ProvidersFileError> {
    let file: File = toml::from_str(text).map_err(|error| ProvidersFileError::Malformed {
        path: path.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    let mut problems = Problems::default();
    if file.provider.len() > PROVIDERS_MAX {
        problems.add(format_args!("has {} providers: it may have {PROVIDERS_MAX}", file.provider.len()));
    }
    let mut ids = BTreeSet::new();
    let mut providers = Vec::new();
    for table in file.provider {
        if !ids.insert(table.id.clone()) {
            problems.add(format_args!("provider {:?}: id stands twice", table.id));
        }
        providers.push(problems.check(table));
    }
    match problems.0.is_empty() {
        true => Ok(providers),
        false => Err(ProvidersFileError::Invalid { path: path.to_owned(), problems: problems.0 }),
    }
}

/// All that is wrong, so that a person mends it in one go.
#[derive(Default)]
struct Problems(String);

impl Problems {
    fn add(&mut self, problem: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _infallible = write!(self.0, "\n  {problem}");
    }

    fn check(&mut self, table: Table) -> ProviderSettings {
        let id = table.id.clone();
        let mut wrong = |key: &str, problem: &str| self.add(format_args!("provider {id:?}: {key} {problem}"));
        if !is_slug(&table.id) {
            wrong("id", "must be 1 to 32 of a-z, 0-9 and -, beginning and ending with a letter or a digit");
        }
        let name = table.name.clone().unwrap_or_else(|| usual_name(table.kind, &table.id));
        if !(1..=NAME_MAX_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            wrong("name", "must have 1 to 40 characters: it stands on a button");
        }
        if table.client_id.is_empty() {
            wrong("client_id", "is empty: it is what the provider gave you when you registered this server");
        }
        let client_secret = table
            .client_secret_file
            .as_deref()
            .and_then(|path| secret(path).map_err(|problem| wrong("client_secret_file", &problem)).ok());
        let scopes = table.scopes.clone().unwrap_or_else(|| usual_scopes(table.kind));
        if scopes.len() > SCOPES_MAX || !scopes.iter().all(|scope| is_scope(scope)) {
            wrong("scopes", "must be at most 32 words without spaces or quotes, each at most 128 bytes");
        }
        let speaks = match table.kind {
            Kind::Oidc => open_id_connect(&table, table.issuer.clone(), &mut wrong),
            Kind::Google => {
                if table.issuer.is_some() {
                    wrong("issuer", "is fixed for kind google; leave it out, or use kind oidc");
                }
                open_id_connect(&table, Some(GOOGLE_ISSUER.to_owned()), &mut wrong)
            }
            Kind::Github => github(&table, &mut wrong),
        };
        // Who proves mail addresses before it calls them verified, as everybody knows. Of anybody else the operator has to say it.
        let (needs_secret, proves_addresses) = match (table.kind, &speaks) {
            (Kind::Oidc, _) => (false, false),
            (Kind::Google, _) => (true, true),
            (Kind::Github, Speaks::GitHub { base_url, .. }) => (true, base_url == GITHUB),
            (Kind::Github, Speaks::OpenIdConnect { .. }) => (true, false),
        };
        if needs_secret && table.client_secret_file.is_none() {
            wrong("client_secret_file", "is missing: name a file that holds the secret the provider gave you");
        }
        if matches!(speaks, Speaks::OpenIdConnect { .. }) && !scopes.iter().any(|scope| scope == "openid") {
            wrong("scopes", "must have openid among them");
        }
        ProviderSettings {
            trust_email: table.trust_email.unwrap_or(proves_addresses),
            id: table.id,
            name,
            client_id: table.client_id,
            client_secret,
            scopes,
            ca_file: table.ca_file,
            speaks,
        }
    }
}

fn open_id_connect(table: &Table, issuer: Option<String>, wrong: &mut impl FnMut(&str, &str)) -> Speaks {
    for (key, set) in [("base_url", table.base_url.is_some()), ("api_url", table.api_url.is_some())] {
        if set {
            wrong(key, "is for kind github alone");
        }
    }
    match &issuer {
        None => wrong("issuer", "is missing: name the provider's issuer, such as https://login.example.org"),
        Some(issuer) if !is_address(issuer) => {
            wrong(
                "issuer",
                "must be an https address, to the letter as the provider calls itself; http on this machine alone",
            );
        }
        Some(_) => {}
    }
    Speaks::OpenIdConnect { issuer: issuer.unwrap_or_default() }
}

fn github(table: &Table, wrong: &mut impl FnMut(&str, &str)) -> Speaks {
    if table.issuer.is_some() {
        wrong("issuer", "is not for kind github; base_url says where another GitHub is");
    }
    let trimmed = |url: &String| url.trim_end_matches('/').to_owned();
    let base_url = table.base_url.as_ref().map_or_else(|| GITHUB.to_owned(), trimmed);
    // A GitHub of one's own has its API below it; that of all is elsewhere.
    let usual_api = if base_url == GITHUB { GITHUB_API.to_owned() } else { format!("{base_url}/api/v3") };
    let api_url = table.api_url.as_ref().map_or(usual_api, trimmed);
    for (key, url) in [("base_url", &base_url), ("api_url", &api_url)] {
        if !is_address(url) {
            wrong(key, "must be an https address such as https://github.example.org; http on this machine alone");
        }
    }
    Speaks::GitHub { base_url, api_url }
}

fn usual_name(kind: Kind, id: &str) -> String {
    match kind {
        Kind::Oidc => id.to_owned(),
        Kind::Google => "Google".to_owned(),
        Kind::Github => "GitHub".to_owned(),
    }
}

fn usual_scopes(kind: Kind) -> Vec<String> {
    let scopes: &[&str] = match kind {
        Kind::Oidc | Kind::Google => &["openid", "email", "profile"],
        Kind::Github => &["read:user", "user:email"],
    };
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

fn is_slug(id: &str) -> bool {
    let ends = id.starts_with('-') || id.ends_with('-');
    let fits = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (1..=ID_MAX_CHARS).contains(&id.len()) && fits && !ends
}

/// What RFC 6749 lets a scope be.
fn is_scope(scope: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (1..=SCOPE_MAX_BYTES).contains(&scope.len()) && scope.bytes().all(fits)
}

/// Whether an address can be asked, and others can be made of it.
fn is_address(url: &str) -> bool {
    let plain = !url.contains(['@', '?', '#']);
    plain && url.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some() && is_secure(&uri))
}

fn secret(path: &Path) -> Result<SecretText, String> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Err(format!("{} is empty", path.display())),
        Ok(text) => Ok(SecretText::new(text.trim().to_owned())),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests;
