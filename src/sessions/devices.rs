//! Devices that an account was signed in to on.
//!
//! After a log-in the browser keeps a signed statement that this account was here. A known device is
//! throttled on its own, so strangers who guess at an account cannot lock its owner out. The
//! statement opens nothing and names nobody.

use crate::crypto::Keys;
use crate::types::Email;

/// The statement for a browser on which `email` has just signed in. An id that the browser has
/// already is kept.
#[must_use]
pub fn remember(keys: &Keys, email: &Email, device: &str) -> String {
    let signature = keys.sign_device(&statement(keys, email, device));
    format!("{device}.{signature}")
}

/// The id of the device, if `cookie` proves that `email` was signed in on it.
#[must_use]
pub fn is_known<'a>(keys: &Keys, email: &Email, cookie: &'a str) -> Option<&'a str> {
    let (device, signature) = cookie.split_once('.')?;
    keys.is_device_signature(signature, &statement(keys, email, device)).then_some(device)
}

fn statement(keys: &Keys, email: &Email, device: &str) -> String {
    format!("{device}.{}", keys.pseudonym(email.canonical()))
}
