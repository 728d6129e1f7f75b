//! Which server, which token and which organization win.

use super::*;
use crate::cli::Color;

fn global(context: Option<&str>, server: Option<&str>) -> Global {
    Global {
        context: context.map(str::to_owned),
        server: server.map(str::to_owned),
        ca: None,
        organization: None,
        timeout: Duration::from_secs(1),
        color: Color::Never,
    }
}

fn config() -> Config {
    toml::from_str(
        "current = 'home'\n\
         [contexts.home]\nserver = 'http://127.0.0.1:1'\ntoken = 'home-token'\n\
         [contexts.work]\nserver = 'https://fleet.example'\ntoken = 'work-token'\n\
         [contexts.me]\nserver = 'https://fleet.example'\n\
         organization = { id = '1', name = 'Acme' }\n\
         [contexts.me.session]\nemail = 'a@b'\naccess_token = 'me-access'\naccess_expires_at_ms = 1\n\
         refresh_token = 'me-refresh'\nexpires_at_ms = 2\n",
    )
    .unwrap()
}

fn found(global: &Global, environment: &Environment) -> Option<Settings> {
    merge(global, environment, &config(), Path::new("/x.toml")).unwrap()
}

fn check(global: &Global, environment: &Environment, expected: Option<(&str, Option<&str>)>) {
    let found = found(global, environment).map(|settings| {
        let token = match settings.credential {
            Credential::Nothing => None,
            Credential::Token(token) => Some(token.expose().to_owned()),
            Credential::Session(stored) => Some(stored.session.access_token.expose().to_owned()),
        };
        (settings.server.to_string(), token)
    });
    assert_eq!(found, expected.map(|(server, token)| (server.to_owned(), token.map(str::to_owned))));
}

fn environment(server: Option<&str>, token: Option<&str>) -> Environment {
    Environment {
        server: server.map(str::to_owned),
        token: token.map(|token| SecretText::new(token.to_owned())),
        ..Environment::default()
    }
}

#[test]
fn the_environment_wins_over_the_context() {
    let none = global(None, None);
    check(&none, &environment(None, None), Some(("http://127.0.0.1:1", Some("home-token"))));
    check(&none, &environment(None, Some("mine")), Some(("http://127.0.0.1:1", Some("mine"))));
    check(&none, &environment(Some("http://127.0.0.1:2"), Some("mine")), Some(("http://127.0.0.1:2", Some("mine"))));
}

#[test]
fn a_token_never_goes_to_a_server_it_is_not_for() {
    check(&global(None, None), &environment(Some("http://127.0.0.1:2"), None), Some(("http://127.0.0.1:2", None)));
    check(&global(None, Some("http://evil.example")), &environment(None, None), Some(("http://evil.example", None)));
    check(
        &global(None, Some("http://127.0.0.1:1/")),
        &environment(None, None),
        Some(("http://127.0.0.1:1", Some("home-token"))),
    );
}

#[test]
fn a_named_context_brings_its_own_token() {
    let expected = Some(("https://fleet.example", Some("work-token")));
    check(&global(Some("work"), None), &environment(None, None), expected);
    check(&global(Some("me"), None), &environment(None, None), Some(("https://fleet.example", Some("me-access"))));
    check(&global(Some("work"), None), &environment(Some("http://127.0.0.1:2"), Some("mine")), expected);
    assert!(merge(&global(Some("gone"), None), &Environment::default(), &config(), Path::new("")).is_err());
}

#[test]
fn an_organization_is_for_the_person_of_its_context() {
    let check = |global: &Global, environment: &Environment, expected: Place| {
        assert_eq!(found(global, environment).map(|settings| settings.organization), Some(expected));
    };
    let of_context = || Place::OfContext(config::Organization { id: "1".to_owned(), name: "Acme".to_owned() });
    check(&global(Some("me"), None), &environment(None, None), of_context());
    check(&global(Some("me"), Some("https://other.example")), &environment(None, None), Place::Default);
    check(&global(Some("me"), None), &environment(None, Some("mine")), of_context());
    let named = Global { organization: Some("Beta".to_owned()), ..global(Some("me"), None) };
    check(&named, &environment(None, None), Place::Named("Beta".to_owned()));
    let by_environment = Environment { organization: Some("Beta".to_owned()), ..environment(None, None) };
    check(&global(None, None), &by_environment, Place::Named("Beta".to_owned()));
    check(&global(Some("me"), None), &by_environment, of_context());

    let mine = Config { current: Some("me".to_owned()), ..config() };
    let with_token = merge(&global(None, None), &environment(None, Some("mine")), &mine, Path::new("")).unwrap();
    assert_eq!(with_token.map(|settings| settings.organization), Some(Place::Default));
}

#[test]
fn addresses_are_checked() {
    for text in ["", "fleet.example", "ftp://x", "http://", "https://x/path", "https://u@x", "http://x?y", "http://:80"]
    {
        assert!(Server::parse(text).is_err(), "{text:?}");
    }
    let server = Server::parse("https://[::1]").unwrap();
    assert_eq!((server.host.as_str(), server.port, server.tls, server.is_exposed()), ("::1", 443, true, false));
    let server = Server::parse("http://fleet.example:8080/").unwrap();
    assert_eq!(
        (server.host.as_str(), server.port, server.tls, server.is_exposed()),
        ("fleet.example", 8080, false, true)
    );
    assert!(!Server::parse("http://[::1]:8080").unwrap().is_exposed());
}
