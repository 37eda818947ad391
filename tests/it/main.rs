//! The stories of Daemun, told through its doors, on SQLite and on PostgreSQL.

#[macro_use]
mod support;

mod activity;
mod admin_permissions;
mod admin_person;
mod admin_users;
mod cli;
mod courier;
mod csrf;
mod database;
mod delivery;
mod docs;
mod email_change;
mod errors;
mod export;
mod floors;
mod headers;
mod join;
mod language;
mod leaving;
mod letters;
mod library;
mod login;
mod login_letters;
mod mail;
mod mandatory;
mod mypage;
mod pages;
mod password;
mod process;
mod profile;
mod protection;
mod reset;
mod secrets;
mod sentences;
mod sessions;
mod setup;
mod signins;
mod speed;
mod statics;
mod sudo;
mod sweeping;
mod throttling;
mod verification;
