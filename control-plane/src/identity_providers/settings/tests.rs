use super::*;

fn read_text(toml: &str) -> Result<Vec<ProviderSettings>, String> {
    parse(toml, Path::new("providers.toml")).map_err(|error| error.to_string())
}

fn only(toml: &str) -> ProviderSettings {
    let mut providers = read_text(toml).unwrap();
    assert_eq!(providers.len(), 1);
    providers.remove(0)
}

/// A provider's table with a secret that is there, and more lines.
fn table(folder: &tempfile::TempDir, kind: &str, more: &str) -> String {
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    format!("[[provider]]\nid = 'p'\nkind = '{kind}'\nclient_id = 'c'\nclient_secret_file = {secret:?}\n{more}\n")
}

#[test]
fn what_is_left_out_has_its_usual_value() {
    let folder = tempfile::tempdir().unwrap();
    let check = |kind: &str, more: &str, name: &str, trust_email: bool, speaks: Speaks| {
        let provider = only(&table(&folder, kind, more));
        assert_eq!((provider.name.as_str(), provider.trust_email), (name, trust_email), "{kind} {more}");
        assert_eq!(provider.speaks, speaks, "{kind} {more}");
        assert_eq!(provider.client_secret.unwrap().expose(), "hunter2");
    };
    let oidc = |issuer: &str| Speaks::OpenIdConnect { issuer: issuer.to_owned() };
    let github = |base: &str, api: &str| Speaks::GitHub { base_url: base.to_owned(), api_url: api.to_owned() };
    let (own, own_api) = ("https://git.example.org", "https://git.example.org/api/v3");
    check("oidc", "issuer = 'https://a.example.org/'", "p", false, oidc("https://a.example.org/"));
    check(
        "oidc",
        "issuer = 'http://[::1]:3000'\ntrust_email = true\nname = 'Us'",
        "Us",
        true,
        oidc("http://[::1]:3000"),
    );
    check("google", "", "Google", true, oidc("https://accounts.google.com"));
    check("google", "trust_email = false", "Google", false, oidc("https://accounts.google.com"));
    check("github", "", "GitHub", true, github("https://github.com", "https://api.github.com"));
    check("github", "base_url = 'https://git.example.org/'", "GitHub", false, github(own, own_api));
    check("github", "base_url = 'https://git.example.org'\napi_url = 'https://api.example.org'", "GitHub", false, {
        github(own, "https://api.example.org")
    });
    assert_eq!(only(&table(&folder, "google", "")).scopes, ["openid", "email", "profile"]);
    assert_eq!(only(&table(&folder, "github", "")).scopes, ["read:user", "user:email"]);
}

#[test]
fn a_file_without_providers_is_one() {
    assert!(read_text("").unwrap().is_empty());
}

fn check_problem(toml: &str, words: &[&str]) {
    let problem = read_text(toml).unwrap_err();
    for word in words {
        assert!(problem.contains(word), "{toml}\nhas no {word:?}: {problem}");
    }
}

#[test]
fn problems_name_their_provider_and_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |kind: &str, more: &str, key: &str| {
        check_problem(&table(&folder, kind, more), &["identity_providers_file", "providers.toml", "\"p\"", key]);
    };
    wrong("oidc", "", "issuer");
    wrong("oidc", "issuer = 'http://a.example.org'", "issuer");
    wrong("oidc", "issuer = 'a.example.org'", "issuer");
    wrong("oidc", "issuer = 'https://u:p@a.example.org'", "issuer");
    wrong("oidc", "issuer = 'https://a.example.org/?x'", "issuer");
    wrong("oidc", "issuer = 'https://a.example.org'\nscopes = ['email']", "openid");
    wrong("oidc", "issuer = 'https://a.example.org'\nscopes = ['openid email']", "scopes");
    wrong("oidc", "issuer = 'https://a.example.org'\nbase_url = 'https://a.example.org'", "base_url");
    wrong("oidc", "issuer = 'https://a.example.org'\nname = ''", "name");
    wrong("google", "issuer = 'https://a.example.org'", "issuer");
    wrong("google", "api_url = 'https://a.example.org'", "api_url");
    wrong("github", "issuer = 'https://a.example.org'", "issuer");
    wrong("github", "base_url = 'http://git.example.org'", "base_url");
    wrong("github", "api_url = 'git'", "api_url");
    let bare = |kind: &str| format!("[[provider]]\nid = 'p'\nkind = '{kind}'\nclient_id = 'c'\n");
    check_problem(&bare("google"), &["client_secret_file", "is missing"]);
    check_problem(&bare("github"), &["client_secret_file", "is missing"]);
    check_problem(&format!("{}client_secret_file = '/none/secret'", bare("google")), &["client_secret_file", "/none"]);
    check_problem(&bare("google").replace("'p'", "'P'"), &["\"P\"", "id must"]);
    check_problem(&bare("google").replace("'p'", "'-p'"), &["id must"]);
    check_problem(&bare("google").replace("'c'", "''"), &["client_id"]);
    check_problem(&bare("google").repeat(2), &["id stands twice"]);
    check_problem(&bare("google").repeat(17), &["has 17 providers"]);
}

#[test]
fn what_is_no_such_file_names_its_line() {
    check_problem("[[provider]]\nid = 'p'\nkind = 'saml'\nclient_id = 'c'", &["line 3"]);
    check_problem("[[provider]]\nid = 'p'\nkind = 'oidc'", &["line 1", "client_id"]);
    check_problem("\n[[provider]]\nclient_secret = 'hunter2'\nid = 'p'", &["line 3", "client_secret"]);
    check_problem("[[providers]]\nid = 'p'", &["line 1", "providers"]);
}

#[test]
fn a_public_client_needs_no_secret() {
    let provider = only("[[provider]]\nid = 'p'\nkind = 'oidc'\nissuer = 'https://a.example.org'\nclient_id = 'c'");
    assert!(provider.client_secret.is_none());
}

#[test]
fn secrets_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!format!("{:?}", only(&table(&folder, "google", ""))).contains("hunter2"));
    for toml in ["[[provider]]\nclient_secret = 'hunter2'", "[[provider]]\nclient_id = 'hunter2' x"] {
        assert!(!read_text(toml).unwrap_err().contains("hunter2"), "{toml}");
    }
}
