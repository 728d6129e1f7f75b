//! `fleetctl context`.

use crate::Program;
use crate::cli::{ContextCommand, ContextSet, Format, Global, Output};
use crate::client::pages::Listing;
use crate::config::{self, Context};
use crate::failure::{Failure, Kind};
use crate::output::{print_done, print_list, print_one};
use crate::settings::{Server, context_named};
use crate::view;
use crate::view::context::DeletedContext;

/// Runs one of the subcommands.
pub(super) fn run(program: &mut Program, global: &Global, command: ContextCommand) -> Result<(), Failure> {
    match command {
        ContextCommand::List(output) => list(program, output),
        ContextCommand::Use { name, output } => make_current(program, &name, output),
        ContextCommand::Set(arguments) => set(program, global, arguments),
        ContextCommand::Delete { name, output } => delete(program, name, output),
        ContextCommand::Show { name, output } => show(program, global, name, output),
    }
}

fn list(program: &mut Program, output: Output) -> Result<(), Failure> {
    let config = config::load(&config::location(&program.environment)?)?.config;
    let current = config.current.as_deref();
    let items =
        config.contexts.iter().map(|(name, context)| view::context::Context::new(name, context, current)).collect();
    print_list(program, output.output, &Listing { items, next_page_token: None })
}

fn show(program: &mut Program, global: &Global, name: Option<String>, output: Output) -> Result<(), Failure> {
    let config = config::load(&config::location(&program.environment)?)?.config;
    let name = name
        .or_else(|| global.context.clone())
        .or_else(|| config.current.clone())
        .ok_or_else(|| Failure::new(Kind::NotFound, "there is no current context", "see `fleetctl context list`"))?;
    print_one(program, output.output, view(&config, &name)?)
}

fn make_current(program: &mut Program, name: &str, output: Output) -> Result<(), Failure> {
    let current = change(program, |config| {
        config.current = Some(name.to_owned());
        view(config, name)
    })?;
    program.console.talk(&format!("Context {name:?} is now the current one."));
    print_context(program, output.output, &current)
}

fn set(program: &mut Program, global: &Global, arguments: ContextSet) -> Result<(), Failure> {
    let name = arguments.name;
    let server = global.server.as_deref().map(Server::parse).transpose()?.map(|server| server.to_string());
    let ca = global.ca.clone().map(|path| std::path::absolute(&path).unwrap_or(path));
    let set = change(program, |config| {
        match (config.contexts.get_mut(&name), server) {
            (Some(context), server) => {
                // Who is signed in is so at the server that said so.
                if let Some(server) = server
                    && server != context.server
                {
                    context.server = server;
                    context.forget_person();
                }
                context.ca = ca.or(context.ca.take());
            }
            (None, Some(server)) => {
                config.contexts.insert(name.clone(), Context::new(server, ca));
            }
            (None, None) => {
                return Err(Failure::usage(format!("context {name:?} is new and has no server"), "add --server URL"));
            }
        }
        if arguments.make_current || config.current.is_none() {
            config.current = Some(name.clone());
        }
        view(config, &name)
    })?;
    program.console.talk(&format!("Context {name:?} is set."));
    print_context(program, arguments.output.output, &set)
}

fn delete(program: &mut Program, name: String, output: Output) -> Result<(), Failure> {
    change(program, |config| {
        context_named(config, &name)?;
        config.contexts.remove(&name);
        if config.current.as_ref() == Some(&name) {
            config.current = None;
        }
        Ok(())
    })?;
    program.console.talk(&format!("Context {name:?} is forgotten."));
    let reference = format!("context/{name}");
    print_done(program, output.output, &DeletedContext { name, deleted: true }, &reference)
}

fn change<T>(program: &Program, edit: impl FnOnce(&mut config::Config) -> Result<T, Failure>) -> Result<T, Failure> {
    config::change(&config::location(&program.environment)?, edit)
}

/// A context of the configuration as programs read it.
pub(super) fn view(config: &config::Config, name: &str) -> Result<view::context::Context, Failure> {
    Ok(view::context::Context::new(name, context_named(config, name)?, config.current.as_deref()))
}

/// Prints a context that was changed.
pub(super) fn print_context(
    program: &mut Program,
    format: Format,
    context: &view::context::Context,
) -> Result<(), Failure> {
    print_done(program, format, context, &format!("context/{}", context.name))
}
