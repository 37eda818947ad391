//! What the documentation says is true: its commands work and its names exist.

mod api;
mod contributing;
mod documentation;
mod log_messages;
mod operations;
