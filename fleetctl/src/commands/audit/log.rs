//! `fleetctl audit log`.

use crate::Program;
use crate::cli::{AuditLog, Global, LogFormat};
use crate::client::Client;
use crate::client::pages::{Listing, Paging};
use crate::client::watch::Break;
use crate::commands::get::convert;
use crate::failure::Failure;
use crate::output::listed::{self, Moment};
use crate::output::table::{self, Layout};
use crate::output::{csv, print_json_line, print_list};
use crate::view::audit::AuditEntry;
use kaliun_proto::fleet::v1::AuditFilter;
use std::time::Duration;

/// Without a limit, what a person can read; and what is shown of before when what comes is followed.
const LIMIT: u32 = 50;
const LIMIT_BEFORE: u32 = 10;
/// The first pause before a broken stream is opened again; each further one is twice as long, up to the longest, and shortened by chance
/// to between a half and all of it.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(15);

/// Lists, or follows.
pub(super) async fn run(program: &mut Program, global: &Global, arguments: AuditLog) -> Result<(), Failure> {
    if arguments.follow && arguments.output == LogFormat::Yaml {
        return Err(Failure::usage("--follow has no end, and YAML is one document", "use -o jsonl"));
    }
    let client = Client::open(program, global).await?;
    let filter = filter(program, &client, &arguments).await?;
    let usual = if arguments.follow { LIMIT_BEFORE } else { LIMIT };
    let limit = if arguments.all { None } else { Some(arguments.limit.unwrap_or(usual)) };
    let paging = Paging { limit, page_token: arguments.page_token.clone().unwrap_or_default(), ..Paging::ALL };
    let list = convert::<_, AuditEntry>(client.audit_list(&filter, &paging).await?);
    if arguments.follow {
        return follow(program, &client, &filter, arguments.output, list.items).await;
    }
    match arguments.output.as_format() {
        Some(format) => print_list(program, format, &list),
        None => print_lines(program, arguments.output, &list),
    }
}

/// What is asked for. A device may be named as people name it.
async fn filter(program: &Program, client: &Client, arguments: &AuditLog) -> Result<AuditFilter, Failure> {
    let now_ms = (program.clock)();
    let target = match arguments.target.as_deref().map(|target| (target, target.strip_prefix("device/"))) {
        // Of a device that is gone the id is all there is.
        Some((target, Some(id))) if uuid::Uuid::try_parse(id).is_ok() => target.to_owned(),
        Some((_target, Some(name))) => format!("device/{}", client.device(name).await?.id),
        Some((target, None)) => target.to_owned(),
        None => String::new(),
    };
    Ok(AuditFilter {
        actor: arguments.actor.clone().unwrap_or_default(),
        action_prefix: arguments.action.clone().unwrap_or_default(),
        target,
        request_id: arguments.request.clone().unwrap_or_default(),
        since_ms: arguments.since.map_or(0, |since| since.ms(now_ms)),
        until_ms: arguments.until.map_or(0, |until| until.ms(now_ms)),
    })
}

/// Prints a list as lines for programs.
fn print_lines(program: &mut Program, format: LogFormat, list: &Listing<AuditEntry>) -> Result<(), Failure> {
    let mut lines = Lines::new(format);
    list.items.iter().try_for_each(|entry| lines.print(program, entry))?;
    if list.next_page_token.is_some() {
        program.console.talk("There are more; raise --limit, or see them with --all.");
    }
    Ok(())
}

/// Entries one by one.
struct Lines {
    format: LogFormat,
    has_heading: bool,
    widths: Vec<usize>,
}

impl Lines {
    const fn new(format: LogFormat) -> Self {
        Self { format, has_heading: false, widths: Vec::new() }
    }

    fn print(&mut self, program: &mut Program, entry: &AuditEntry) -> Result<(), Failure> {
        let is_first = !std::mem::replace(&mut self.has_heading, true);
        match self.format {
            LogFormat::Json | LogFormat::Jsonl | LogFormat::Yaml => return print_json_line(program, entry),
            LogFormat::Csv => {
                if is_first {
                    program.console.print_line(&csv::line(AuditEntry::CSV))?;
                }
                program.console.print_line(&csv::line(entry.csv()))?;
            }
            LogFormat::Table | LogFormat::Wide => self.print_row(program, entry, is_first)?,
        }
        program.console.flush()
    }

    /// A row whose time stands for itself: it is read later than it is written.
    fn print_row(&mut self, program: &mut Program, entry: &AuditEntry, is_first: bool) -> Result<(), Failure> {
        let wide = self.format == LogFormat::Wide;
        let moment = Moment { now_ms: (program.clock)(), absolute: true };
        let columns = listed::columns::<AuditEntry>(wide);
        let row = listed::cells(entry, &columns, moment);
        let layout = Layout::of_console(&program.console, wide);
        // Columns stay where the widest so far has put them.
        let columns: Vec<_> = columns
            .into_iter()
            .zip(self.widths.iter().copied().chain(std::iter::repeat(0)))
            .map(|(column, least)| column.least(least))
            .collect();
        let rows = [row];
        self.widths = columns
            .iter()
            .zip(table::widths(&columns, &rows, layout))
            .map(|(column, width)| if column.elastic { 0 } else { width })
            .collect();
        let lines = table::lines(&columns, &rows, layout);
        let shown = lines.iter().skip(usize::from(!is_first));
        shown.into_iter().try_for_each(|line| program.console.print_line(line))
    }
}

/// Shows what was done last, oldest first, and then what is done.
async fn follow(
    program: &mut Program,
    client: &Client,
    filter: &AuditFilter,
    format: LogFormat,
    before: Vec<AuditEntry>,
) -> Result<(), Failure> {
    let mut lines = Lines::new(format);
    // Those that are not sealed yet come with the stream.
    let mut sealed: Vec<AuditEntry> = before.into_iter().filter(|entry| entry.sequence.is_some()).collect();
    sealed.sort_by_key(|entry| entry.sequence);
    let mut after = sealed.last().and_then(|entry| entry.sequence);
    sealed.iter().try_for_each(|entry| lines.print(program, entry))?;
    let mut pause = RETRY_FIRST;
    let mut began = false;
    loop {
        let failure = match client.audit_follow(filter, after).await {
            Ok(mut stream) => loop {
                match stream.next().await {
                    Ok(message) => {
                        (began, pause) = (true, RETRY_FIRST);
                        after = Some(message.through_sequence);
                        let entries = message.entries.into_iter().map(AuditEntry::from);
                        for entry in entries {
                            lines.print(program, &entry)?;
                        }
                    }
                    Err(Break::Passing(failure)) if began => break Some(failure),
                    Err(Break::RunOut) => break None,
                    Err(Break::Passing(failure) | Break::Final(failure)) => return Err(failure),
                }
            },
            Err(Break::Passing(failure)) if began => Some(failure),
            Err(Break::RunOut) => None,
            // What does not work at all is not worth waiting for.
            Err(Break::Passing(failure) | Break::Final(failure)) => return Err(failure),
        };
        // A token that has run out is nothing to tell.
        if let Some(failure) = failure {
            program.console.talk(&format!("warning: {failure}; trying again"));
        }
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
        pause = (pause * 2).min(RETRY_LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Format;

    #[test]
    fn each_form_of_a_list_is_one_of_lists_or_made_of_lines() {
        assert_eq!(LogFormat::Table.as_format(), Some(Format::Table));
        assert_eq!(LogFormat::Json.as_format(), Some(Format::Json));
        assert_eq!(LogFormat::Jsonl.as_format(), None);
        assert_eq!(LogFormat::Csv.as_format(), None);
    }
}
