//! What the end-to-end tests run: the real programs in a throw-away state folder, and a real browser.
//!
//! A test owns a [`fleet::Fleet`]: control plane, boxes and their folders, all on ports of their own and gone at its end. It may kill
//! any process of it and start it again. [`browser::Browser`] drives Chromium through its driver, and hears every complaint
//! of the page's console. Nothing here sleeps for a result: [`wait::until`] looks until a state is reached.

pub mod browser;
pub mod database;
pub mod family;
pub mod fleet;
pub mod folder;
pub mod http;
pub mod mails;
pub mod process;
pub mod programs;
pub mod terminal;
pub mod wait;
