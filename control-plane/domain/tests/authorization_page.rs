//! `docs/AUTHORIZATION.md` is the authorization table in words: written by this test, and compared with what is checked in.

use kaliun_domain::authorization::{Grants, Row, Rule, TABLE};
use kaliun_domain::role::{HomeRole, Role};
use std::fmt::Write as _;
use std::path::Path;

/// Set to anything, this makes the test write the file.
const WRITE: &str = "KALIUN_WRITE_AUTHORIZATION";

const HEAD: &str = "# Who may call what

Each RPC has a row in `control-plane/domain/src/authorization.rs`. The check before every handler reads it, tests try each row as everybody, and this
page is written from it: `KALIUN_WRITE_AUTHORIZATION=1 cargo nextest run -p kaliun-domain authorization_page`.

- **all**: the whole organization that the call acts in. **home**: the rows of the caller's homes alone, or of those whose owner consents.
- **own**: what is the person's or the token's own. **server**: in the organization that runs the control plane, about all organizations.
- **role**: an API token may what its role may; one that is bound to homes may there what an owner may (operator and above) or a member.
- **consent**: somebody of support, while an owner of the home lets them in. **nobody's**: a person who belongs to no organization yet.
- Row-level security in Postgres is a second wall behind each of these (`docs/decisions/0019-how-far-a-call-reaches.md`).
";

/// One cell, or nothing.
type Cell = &'static str;

fn in_organization(rule: Rule, role: Role) -> Cell {
    match rule {
        Rule::Anyone => "yes",
        Rule::Person | Rule::SignedIn => "own",
        Rule::Inside(grants) => {
            if grants.role.is_some_and(|least| role >= least) {
                "all"
            } else {
                ""
            }
        }
        Rule::Platform(least) => {
            if role >= least {
                "server"
            } else {
                ""
            }
        }
        Rule::AnyPeer | Rule::Device => "",
    }
}

fn in_home(rule: Rule, role: HomeRole) -> Cell {
    match rule {
        Rule::Anyone => "yes",
        Rule::Person | Rule::SignedIn => "own",
        Rule::Inside(grants) => {
            if grants.home.is_some_and(|least| role >= least) {
                "home"
            } else {
                ""
            }
        }
        Rule::Platform(_) | Rule::AnyPeer | Rule::Device => "",
    }
}

fn by_consent(rule: Rule) -> Cell {
    match rule {
        Rule::Inside(Grants { by_consent: true, .. }) => "home",
        Rule::Anyone
        | Rule::Person
        | Rule::SignedIn
        | Rule::Inside(_)
        | Rule::Platform(_)
        | Rule::AnyPeer
        | Rule::Device => "",
    }
}

fn of_nobody(rule: Rule) -> Cell {
    match rule {
        Rule::Anyone => "yes",
        Rule::Person | Rule::SignedIn => "own",
        Rule::Inside(_) | Rule::Platform(_) | Rule::AnyPeer | Rule::Device => "",
    }
}

fn by_token(rule: Rule) -> Cell {
    match rule {
        Rule::Anyone => "yes",
        Rule::SignedIn => "own",
        Rule::Inside(Grants { by_person: true, .. }) | Rule::Person => "",
        Rule::Inside(Grants { role: None, .. }) => "home",
        Rule::Inside(_) | Rule::Platform(_) => "role",
        Rule::AnyPeer | Rule::Device => "",
    }
}

fn cells(rule: Rule) -> Vec<Cell> {
    let roles = Role::ALL.into_iter().map(|role| in_organization(rule, role));
    let homes = HomeRole::ALL.into_iter().map(|role| in_home(rule, role));
    let anyone = if matches!(rule, Rule::Anyone) { "yes" } else { "" };
    roles.chain(homes).chain([by_consent(rule), of_nobody(rule), by_token(rule), anyone]).collect()
}

/// The name of an RPC without its package.
fn name(row: &Row) -> &'static str {
    row.path.rsplit_once('.').map_or(row.path, |(_package, name)| name)
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let is_of_boxes = |row: &&Row| matches!(row.rule, Rule::AnyPeer | Rule::Device);
    page.push_str(
        "\n## People and automation (public listener)\n
| RPC | viewer | support | operator | admin | home: member | installer | owner | consent | nobody's | API token | anyone | besides |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in TABLE.iter().filter(|row| !is_of_boxes(row)) {
        let _infallible = writeln!(page, "| {} | {} | {} |", name(row), cells(row.rule).join(" | "), row.besides);
    }
    page.push_str(
        "\n## Boxes (device listener)\n\n| RPC | any box | a box with a valid certificate |\n| --- | --- | --- |\n",
    );
    for row in TABLE.iter().filter(is_of_boxes) {
        let any = if row.rule == Rule::AnyPeer { "yes" } else { "" };
        let _infallible = writeln!(page, "| {} | {any} | yes |", name(row));
    }
    page
}

#[test]
fn the_page_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/AUTHORIZATION.md");
    let made = page();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).expect("the folder docs can be written");
    }
    let written = std::fs::read_to_string(&path).expect("docs/AUTHORIZATION.md is there");
    assert!(made == written, "docs/AUTHORIZATION.md is not what the table says; write it anew with {WRITE}=1");
}

#[test]
fn a_row_says_who_may() {
    let check = |name: &str, expected: &str| {
        let row = TABLE.iter().find(|row| row.path.ends_with(name)).expect("the row is there");
        assert_eq!(cells(row.rule).join(","), expected, "{name}");
    };
    check("/GetVersion", "yes,yes,yes,yes,yes,yes,yes,,yes,yes,yes");
    check("/ListSessions", "own,own,own,own,own,own,own,,own,,");
    check("/WhoAmI", "own,own,own,own,own,own,own,,own,own,");
    check("/UpdateDevice", ",,all,all,,home,home,home,,role,");
    check("/DecideConsent", ",,,,,,home,,,,");
    check("/GetRotation", ",,,server,,,,,,role,");
}
