//! Daemun (대문, "front gate"): the accounts of a web app, in one binary and as a library.
//!
//! This file is the map of the house. Arrows only go down: a door calls flows, a flow moves features
//! together, features and flows use tools, everybody speaks in types. A door never calls a door, a
//! flow never calls a flow; `tests/it/layers.rs` fails on an arrow that goes up.
//!
//! An application of your own mounts its routes on [`rocket()`] and guards them with [`SignedIn`],
//! [`Staff`] or `Option<SignedIn>`; see `examples/notes.rs`.

rust_i18n::i18n!("src/i18n", fallback = "en");

// Entry points; `app` mounts them.
pub mod api;
pub mod app;
pub mod cli;
pub mod web;
pub mod worker;

// The HTTP kit, shared by `web` and `api`.
pub mod http;

// Use cases, one story per file.
pub mod flows;

// Domain modules; each owns its tables.
pub mod accounts;
pub mod admin;
pub mod audit;
pub mod groups;
pub mod keys;
pub mod links;
pub mod sessions;
pub mod social;

// Infrastructure; `context` bundles it.
pub mod cache;
pub mod clock;
pub mod config;
pub mod context;
pub mod crypto;
pub mod db;
pub mod forwarding;
pub mod i18n;
pub mod mail;
pub mod oauth;
pub mod outbox;
pub mod owner_only;
pub mod throttle;
pub mod user_agent;

// Domain types: values that are valid once they exist.
pub mod types;

pub use app::rocket;
pub use config::figment;
pub use http::{SignedIn, Staff, Visitor};
