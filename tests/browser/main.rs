//! The main user stories in a real browser, with JavaScript and without,
//! with a mouse and by keyboard alone.

mod support;

mod accessibility;
mod account;
mod admin;
mod api_reference;
mod cors;
mod keyboard;
mod password_reset;
mod pictures;
mod screenshots;
mod sessions;
mod validity;
mod weight;
