//! The tests of Daemun through its pages, its API and its command line, on SQLite and on PostgreSQL: a
//! file for each story, in folders that mirror the URLs.

mod account;
mod admin;
mod api;
mod docs;
mod email;
mod http;
mod layers;
mod ops;
mod social;
mod support;
mod translations;
mod vocabulary;
