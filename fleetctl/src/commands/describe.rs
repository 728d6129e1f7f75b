//! `fleetctl describe`.

use super::get::convert;
use crate::Program;
use crate::cli::{Describe, Format, Global};
use crate::client::Client;
use crate::client::pages::Paging;
use crate::failure::Failure;
use crate::output::description;
use crate::output::{print_document, print_one};
use crate::view::certificate::Certificate;
use crate::view::device::Device;
use crate::view::event::Event;
use kaliun_types::limits::PAGE_SIZE_MAX;
use serde::Serialize;

/// A device with what it proved itself with and what happened to it.
#[derive(Debug, Serialize)]
struct Described {
    device: Device,
    certificates: Vec<Certificate>,
    events: Vec<Event>,
}

/// Shows all about one device.
pub(super) async fn run(program: &mut Program, global: &Global, arguments: Describe) -> Result<(), Failure> {
    let client = Client::open(program, global).await?;
    let device = client.device(&arguments.device).await?;
    let newest = |limit| Paging { limit: Some(limit), chunk_size: PAGE_SIZE_MAX, page_token: String::new() };
    let events = match arguments.events {
        0 => Vec::new(),
        limit => convert::<_, Event>(client.event_list(&device.id, &newest(limit)).await?).items,
    };
    let certificates = match arguments.certificates {
        0 => Vec::new(),
        limit => client.certificate_list(&device.id, &newest(limit)).await?.items,
    };
    let certificates: Vec<_> = certificates.into_iter().map(Certificate::from).collect();
    let device = Device::from(device);
    match arguments.output.output {
        Format::Json | Format::Yaml => {
            print_document(program, arguments.output.output, &Described { device, certificates, events })
        }
        Format::Name => print_one(program, Format::Name, device),
        Format::Table | Format::Wide => {
            let now_ms = (program.clock)();
            let text = description::device(&device, &certificates, &events, now_ms, program.console.color);
            program.console.print(&text)
        }
    }
}
