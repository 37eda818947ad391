//! The stories: one file each, told in plain async Rust.
//!
//! A flow moves two or more features together, inside one transaction where they must move
//! together, and answers in facts. It knows no HTTP, no language and no other flow.

pub mod adding;
pub mod bulk;
pub mod checkup;
pub mod connections;
pub mod deletion;
pub mod delivery;
pub mod editing;
pub mod email_change;
pub mod export;
pub mod importing;
pub mod keeping;
pub mod letters;
pub mod login;
pub mod logout;
pub mod moderation;
pub mod obstacle;
pub mod overview;
pub mod password;
pub mod password_strength;
pub mod profile;
pub mod protection;
pub mod providers;
pub mod reset;
pub mod rotation;
pub mod signins;
pub mod signup;
pub mod social;
pub mod sudo;
pub mod superuser;
pub mod teams;
pub mod verification;
