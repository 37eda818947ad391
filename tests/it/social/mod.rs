//! Social log-in, against a provider on this machine.

mod openid_provider;
mod social_accounts;
mod social_api;
pub(crate) mod social_login;
mod social_login_attacks;
mod social_providers;
mod social_signup;
