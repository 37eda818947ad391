//! Devices that an account was signed in to on.
//!
//! After a log-in the browser keeps a signed statement that this account was here. A known device is
//! throttled on its own, so strangers who guess at an account cannot lock its owner out. The
//! statement opens nothing and names nobody.

use crate::context::Context;
use crate::crypto::Keys;
use crate::types::{Email, RequestInfo};

/// Returns the statement for a browser on which `email` has just signed in. It is a new one each time: a
/// thief's copy of the one before keeps the guesses that were spent on it.
pub(super) fn issue(ctx: &Context, email: &Email) -> String {
    let device = ctx.random.token_id();
    let signature = ctx.keys.sign_device(&statement(&ctx.keys, email, &device));
    format!("{device}.{signature}")
}

/// The id of the caller's device, if its cookie proves that `email` was signed in on it.
#[must_use]
pub(super) fn known_id<'a>(keys: &Keys, email: &Email, info: &'a RequestInfo) -> Option<&'a str> {
    let (device, signature) = info.device.as_deref()?.split_once('.')?;
    keys.is_device_signature(signature, &statement(keys, email, device)).then_some(device)
}

fn statement(keys: &Keys, email: &Email, device: &str) -> String {
    format!("{device}.{}", keys.pseudonym(email.canonical()))
}
