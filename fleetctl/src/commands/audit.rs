//! `fleetctl audit`.

mod chain;
mod checkpoint_file;
mod log;
mod verify;

use crate::Program;
use crate::cli::{AuditCommand, Format, Global};
use crate::client::Client;
use crate::client::pages::Listing;
use crate::failure::{Failure, Kind};
use crate::output::listed::Moment;
use crate::output::table::{self, Column, Layout};
use crate::output::{print_document, text};
use crate::view::finding::Finding;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Posture(output) => posture(program, global, output.output).await,
        AuditCommand::Log(arguments) => log::run(program, global, arguments).await,
        AuditCommand::Verify(arguments) => verify::run(program, global, arguments).await,
    }
}

/// Lists what is wrong. Finding anything is an end of its own, for whoever asks by a script.
async fn posture(program: &mut Program, global: &Global, format: Format) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let own = client.finding_list().await?.into_iter().map(|finding| Finding::new("organization", finding));
    let platform = client.platform_finding_list().await?;
    let platform = platform.into_iter().map(|finding| Finding::new("platform", finding));
    let items: Vec<Finding> = platform.chain(own).collect();
    let count = items.len();
    print(program, format, items)?;
    if count == 0 {
        return Ok(());
    }
    let things = if count == 1 { "one thing is wrong".to_owned() } else { format!("{count} things are wrong") };
    Err(Failure::new(Kind::Found, things, "each line ends with what mends it; -o wide says what was seen"))
}

fn print(program: &mut Program, format: Format, items: Vec<Finding>) -> Result<(), Failure> {
    match format {
        Format::Json | Format::Yaml => print_document(program, format, &Listing { items, next_page_token: None }),
        Format::Name => items.iter().try_for_each(|finding| program.console.print_line(&text::clean(&finding.about()))),
        Format::Table | Format::Wide if items.is_empty() => {
            program.console.talk("Nothing is wrong.");
            Ok(())
        }
        Format::Table | Format::Wide => {
            let wide = format == Format::Wide;
            let moment = Moment { now_ms: (program.clock)(), absolute: wide };
            let columns: Vec<Column> = Finding::COLUMNS.iter().filter(|column| wide || !column.wide).copied().collect();
            let rows: Vec<_> = items.iter().flat_map(|finding| finding.rows(moment, wide)).collect();
            // A command that is cut cannot be typed: long lines wrap.
            let layout = Layout { width: None, clip: false, ..Layout::of_console(&program.console, true) };
            table::lines(&columns, &rows, layout).iter().try_for_each(|line| program.console.print_line(line))
        }
    }
}
