//! What users do with their own account: one story per file.

pub mod account_deletion;
pub mod data_export;
pub mod email_change;
pub mod email_verification;
pub mod login;
pub mod logout;
pub mod password_change;
pub mod password_reset;
pub mod password_strength;
pub mod profile;
pub mod reauthentication;
pub mod report_compromise;
pub mod sessions;
pub mod signup;
pub mod social_accounts;
pub mod social_login;
