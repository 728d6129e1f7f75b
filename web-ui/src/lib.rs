//! The web dashboard: Leptos, rendered in the browser, compiled to wasm.
//!
//! `model` is pure view data and is tested natively; everything else needs a browser and is built for wasm only.

pub mod model;
