//! Domain types: values that can only be built by parsing, and are trusted from there on.
//!
//! They depend on the standard library and a few crates, and not on the database, the web or the clock: a
//! rule that needs today's date takes it as an argument.

mod dashboard_stats;
mod email;
mod from_text;
mod ids;
mod language;
mod named_enum;
mod password;
mod permission;
mod profile;
mod request_info;
mod secret;
pub mod spreadsheet;
pub mod text;
mod user;

pub use dashboard_stats::DashboardStats;
pub use email::{Email, EmailError};
pub use from_text::{FromText, text_error};
pub use ids::{BulkJobId, GroupId, SessionId, UserId, number};
pub use language::Language;
pub(crate) use named_enum::{named_enum, stored_enum};
pub use password::{Password, PasswordError};
pub use permission::{Permission, Permissions};
pub use profile::{BirthDate, BirthDateError, Gender, Name, NameError, Profile, ProfileField};
pub use request_info::{RequestInfo, Transport, client_network};
pub use secret::{HashedSecret, Secret};
pub use user::User;
