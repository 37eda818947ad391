//! What the documentation says is true: its commands work and its names exist.

mod api;
mod documentation;
mod operations;
