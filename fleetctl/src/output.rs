//! How answers look: tables for people, JSON and YAML for programs, names for pipes.

pub(crate) mod amount;
pub(crate) mod csv;
pub(crate) mod description;
pub(crate) mod listed;
pub(crate) mod screen;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;

use crate::Program;
use crate::cli::Format;
use crate::client::pages::Listing;
use crate::failure::{Failure, Kind};
use listed::{Listed, Moment};
use serde::Serialize;

/// Prints a list in the form asked for.
pub(crate) fn print_list<T: Listed>(program: &mut Program, format: Format, list: &Listing<T>) -> Result<(), Failure> {
    match format {
        Format::Json | Format::Yaml => print_document(program, format, list),
        Format::Name => print_names(program, &list.items),
        Format::Table | Format::Wide => {
            if list.items.is_empty() {
                program.console.talk(&format!("No {}.", T::PLURAL));
                return Ok(());
            }
            let moment = Moment { now_ms: (program.clock)(), absolute: format == Format::Wide };
            let columns = listed::columns::<T>(format == Format::Wide);
            let rows: Vec<_> = list.items.iter().map(|item| listed::cells(item, &columns, moment)).collect();
            let layout = table::Layout::of_console(&program.console, format == Format::Wide);
            for line in table::lines(&columns, &rows, layout) {
                program.console.print_line(&line)?;
            }
            if list.next_page_token.is_some() {
                program.console.talk("There are more; raise --limit to see them.");
            }
            Ok(())
        }
    }
}

/// Prints one thing in the form asked for; a table of one row.
pub(crate) fn print_one<T: Listed>(program: &mut Program, format: Format, item: T) -> Result<(), Failure> {
    match format {
        Format::Json | Format::Yaml => print_document(program, format, &item),
        Format::Name | Format::Table | Format::Wide => {
            print_list(program, format, &Listing { items: vec![item], next_page_token: None })
        }
    }
}

/// Prints what was done: a document for programs, its name for pipes. People were told on standard error, so a table of it is empty.
pub(crate) fn print_done<T: Serialize>(
    program: &mut Program,
    format: Format,
    document: &T,
    name: &str,
) -> Result<(), Failure> {
    match format {
        Format::Json | Format::Yaml => print_document(program, format, document),
        Format::Name => program.console.print_line(&text::clean(name)),
        Format::Table | Format::Wide => Ok(()),
    }
}

/// Prints a document for programs: JSON, or YAML where that was asked for.
pub(crate) fn print_document<T: Serialize>(program: &mut Program, format: Format, document: &T) -> Result<(), Failure> {
    let text = if format == Format::Yaml {
        serde_yaml_ng::to_string(document).map_err(|error| unprintable(&error))?
    } else {
        let mut text = serde_json::to_string_pretty(document).map_err(|error| unprintable(&error))?;
        text.push('\n');
        text
    };
    program.console.print(&text)
}

/// Prints one JSON object on a line of its own and sends it off at once.
pub(crate) fn print_json_line<T: Serialize>(program: &mut Program, document: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(document).map_err(|error| unprintable(&error))?;
    program.console.print_line(&text)?;
    program.console.flush()
}

fn print_names<T: Listed>(program: &mut Program, items: &[T]) -> Result<(), Failure> {
    for item in items.iter().filter(|item| item.is_named()) {
        program.console.print_line(&format!("{}/{}", T::NOUN, text::clean(item.reference())))?;
    }
    let left_out = items.iter().filter(|item| !item.is_named()).count();
    if left_out > 0 {
        let what = if left_out == 1 { T::NOUN.to_owned() } else { format!("{}s", T::NOUN) };
        program.console.talk(&format!("Left out {left_out} {what} of other organizations: their names are not told."));
    }
    Ok(())
}

fn unprintable(error: &dyn std::error::Error) -> Failure {
    Failure::new(Kind::General, format!("cannot write the answer: {error}"), "use -o table, and report this")
}
