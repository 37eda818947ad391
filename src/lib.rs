//! Daemun (대문, "front gate"): accounts for a web app, as one binary and as a Rocket library.
//!
//! The modules below are listed by layer, and imports only go down: entry points call use cases, use
//! cases combine domain modules, and all of them use infrastructure and types. The HTTP kit is shared
//! by the entry points that speak HTTP and does not know the use cases. `tests/it/layers.rs` fails when
//! an import goes up, and `docs/ARCHITECTURE.md` explains the layers.
//!
//! An application mounts its own routes on [`rocket()`] and guards them with [`SignedIn`], [`Staff`] or
//! `Option<SignedIn>`; `examples/notes.rs` shows how.

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

// Infrastructure; each module wraps one outside thing, and `context` bundles them.
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

// Types that can only be built by parsing.
pub mod paths;
pub mod types;

pub use app::rocket;
pub use config::figment;
pub use http::{SignedIn, Staff, Visitor};
