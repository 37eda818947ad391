//! x
rust_i18n::i18n!("src/i18n", fallback = "en");
pub mod clock; pub mod config; pub mod crypto; pub mod db; pub mod types; pub mod throttle; pub mod cache; pub mod i18n; pub mod ctx; pub mod audit; pub mod accounts; pub mod sessions; pub mod keys;
