//! x
pub mod clock; pub mod config; pub mod crypto; pub mod db; pub mod types;
