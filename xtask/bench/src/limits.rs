//! What the operating system allows a process.

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Allows this process, and those it starts, as many open files as it may have: each device is one.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("the limit of open files cannot be raised")
}
