//! The words of the house: values that exist only after they have proved something.
//!
//! A word is parsed once, where it comes in, and trusted from there on. Nothing here knows the
//! database, the web or the time of day; whoever needs today's date hands it in.

mod email;
mod ids;
mod language;
mod password;
mod permission;
mod person;
mod request_info;
mod secret;
pub mod text;

pub use email::{Email, EmailError};
pub use ids::{BulkJobId, GroupId, SessionId, UserId, number};
pub use language::Language;
pub use password::{Password, PasswordError};
pub use permission::{Permission, Permissions};
pub use person::{BirthDate, BirthDateError, Gender, GenderError, Name, NameError, Person};
pub use request_info::{RequestInfo, Transport, client_network};
pub use secret::{HashedSecret, Secret};
