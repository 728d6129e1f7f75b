//! `fleetctl get`: which kind of thing is meant, and lists that need no more than a call.

mod devices;
mod sort;
mod watch;

use super::api_token;
use crate::Program;
use crate::cli::{Get, Global, MailStateWord, Noun};
use crate::client::Client;
use crate::client::pages::{Listing, Paging};
use crate::failure::{Failure, Kind, Tally};
use crate::output::listed::Listed;
use crate::output::{print_list, print_one};
use crate::view::event::Event;
use crate::view::installation::Installation;
use crate::view::mail::Mail;
use crate::view::session::Session;
use crate::view::sign_up::SignUp;
use crate::view::token::JoinToken;
use kaliun_proto::fleet::v1::MailState;

/// Runs `get`.
pub(crate) async fn run(program: &mut Program, global: &Global, get: Get) -> Result<(), Failure> {
    let noun = get.target.noun;
    check_options(noun, &get)?;
    let names = names(noun, &get)?;
    let paging =
        Paging { limit: get.limit, chunk_size: get.chunk_size, page_token: get.page_token.clone().unwrap_or_default() };
    if noun == Noun::Device {
        return devices::run(program, global, &get, names, paging).await;
    }
    // Sessions are of the person, whatever organization that one acts in.
    let client = match noun {
        Noun::Session => Client::open_personal(program, global).await?,
        Noun::Device
        | Noun::JoinToken
        | Noun::ApiToken
        | Noun::Installation
        | Noun::Event
        | Noun::SignUp
        | Noun::Mail => Client::open(program, global).await?,
    };
    let format = get.output.output;
    if noun == Noun::Event {
        let device_id = match names.as_slice() {
            [] => String::new(),
            [device] => client.device(device).await?.id,
            _ => return Err(Failure::usage("events are of one device or of all", "name one device")),
        };
        let events = client.event_list(&device_id, &newest_paging(paging)).await?;
        return print_list(program, format, &convert::<_, Event>(events));
    }
    if noun == Noun::Mail {
        let state = get.state.map(|state| match state {
            MailStateWord::Waiting => MailState::Waiting,
            MailStateWord::Sent => MailState::Sent,
            MailStateWord::GivenUp => MailState::GivenUp,
        });
        let paging = if names.is_empty() { newest_paging(paging) } else { Paging::ALL };
        let list = convert::<_, Mail>(client.mail_list(state, &paging).await?);
        return print_named(program, format, list, &names, |mail, name| mail.id == name);
    }
    // There is no call for a single one of these, so the whole list is searched for names.
    let paging = if names.is_empty() { paging } else { Paging::ALL };
    match noun {
        Noun::JoinToken => {
            let list = convert::<_, JoinToken>(client.join_token_list(&paging).await?);
            print_named(program, format, list, &names, |token, name| token.id == name || token.description == name)
        }
        Noun::ApiToken => {
            let list = api_token::list(&client, &paging).await?;
            print_named(program, format, list, &names, |token, name| token.id == name || token.name == name)
        }
        Noun::Installation => {
            let list = convert::<_, Installation>(client.installation_list(&paging).await?);
            print_named(program, format, list, &names, |home, name| home.id == name || home.name == name)
        }
        Noun::Session => {
            let list = convert::<_, Session>(client.session_list(&paging).await?);
            print_named(program, format, list, &names, |session, id| session.id == id)
        }
        Noun::SignUp => {
            let list = convert::<_, SignUp>(client.sign_up_list(&paging).await?);
            print_named(program, format, list, &names, |entry, name| entry.id == name || entry.email == name)
        }
        Noun::Device | Noun::Event | Noun::Mail => Ok(()),
    }
}

/// Events and mails go back far; without a limit, the newest fifty are what a person can read.
fn newest_paging(paging: Paging) -> Paging {
    const NEWEST: u32 = 50;
    Paging { limit: paging.limit.or(Some(NEWEST)), ..paging }
}

fn check_options(noun: Noun, get: &Get) -> Result<(), Failure> {
    let devices = &get.devices;
    let device_option = [
        (devices.selector.is_some(), "--selector"),
        (devices.link.is_some(), "--link"),
        (devices.sort_by.is_some(), "--sort-by"),
        (devices.watch, "--watch"),
    ];
    if get.state.is_some() && noun != Noun::Mail {
        return Err(Failure::usage(format!("--state works for mails, not for {}", noun.plural()), "leave --state out"));
    }
    match device_option.into_iter().find(|(given, _)| *given && noun != Noun::Device) {
        Some((_, option)) => Err(Failure::usage(
            format!("{option} works for devices, not for {}", noun.plural()),
            format!("leave {option} out"),
        )),
        None => Ok(()),
    }
}

/// The names asked for, out of `NOUN/NAME` and of what follows. Events take devices as names.
fn names(noun: Noun, get: &Get) -> Result<Vec<String>, Failure> {
    let wanted = if noun == Noun::Event { Noun::Device } else { noun };
    let mut names: Vec<String> = get.target.name.iter().cloned().collect();
    for text in &get.names {
        let name = match text.split_once('/') {
            Some((prefix, name)) if !name.is_empty() && (prefix == wanted.word() || prefix == wanted.plural()) => name,
            Some(_) => {
                return Err(Failure::usage(
                    format!("{text:?} is no {}/NAME", wanted.word()),
                    "one command gets things of one kind",
                ));
            }
            None => text,
        };
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Turns a list of messages into a list as programs read it.
pub(crate) fn convert<M, T: From<M>>(list: Listing<M>) -> Listing<T> {
    Listing { items: list.items.into_iter().map(T::from).collect(), next_page_token: list.next_page_token }
}

/// Prints all, or those with the given names; what is missing is told.
fn print_named<T: Listed>(
    program: &mut Program,
    format: crate::cli::Format,
    list: Listing<T>,
    names: &[String],
    matches: impl Fn(&T, &str) -> bool,
) -> Result<(), Failure> {
    if names.is_empty() {
        return print_list(program, format, &list);
    }
    let mut tally = Tally::default();
    for name in names {
        if list.items.iter().any(|item| matches(item, name)) {
            tally.success();
        } else {
            tally.failure(Failure::new(
                Kind::NotFound,
                format!("there is no {}/{name}", T::NOUN),
                format!("see what there is with `fleetctl get {}s`", T::NOUN),
            ));
        }
    }
    let found: Vec<T> = list.items.into_iter().filter(|item| names.iter().any(|name| matches(item, name))).collect();
    print_found(program, format, found, names.len())?;
    tally.finish(|failure| program.console.report(failure))
}

/// Prints what was found of the things asked for by name: one name gives the thing itself, several give a list.
fn print_found<T: Listed>(
    program: &mut Program,
    format: crate::cli::Format,
    mut found: Vec<T>,
    asked: usize,
) -> Result<(), Failure> {
    if asked == 1 && found.len() == 1 {
        return found.pop().map_or(Ok(()), |item| print_one(program, format, item));
    }
    if found.is_empty() {
        return Ok(());
    }
    print_list(program, format, &Listing { items: found, next_page_token: None })
}
