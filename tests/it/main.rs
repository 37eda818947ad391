//! The stories of Daemun, told through its doors, on SQLite and on PostgreSQL.

#[macro_use]
mod support;

mod activity;
mod admin_audit;
mod admin_desk;
mod admin_groups;
mod admin_mail;
mod admin_settings;
mod cli;
mod csrf;
mod database;
mod docs;
mod errors;
mod floors;
mod headers;
mod join;
mod language;
mod letters;
mod library;
mod login;
mod mail;
mod mypage;
mod pages;
mod process;
mod secrets;
mod sentences;
mod sessions;
mod setup;
mod signins;
mod speed;
mod statics;
mod throttling;
mod verification;
