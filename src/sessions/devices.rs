//! Known devices: browsers on which an account was logged in before.
//!
//! After a log-in the browser keeps a signed device token for this account. A known device has a
//! rate limit of its own, so guessing by others cannot lock the owner out. The token authenticates
//! no user and holds no personal data.

use crate::context::Context;
use crate::crypto::DerivedKeys;
use crate::types::{Email, RequestInfo};

/// Returns a device token for a browser on which `email` has just logged in.
pub(super) fn issue(ctx: &Context, email: &Email) -> String {
    // A new one each time: a stolen copy of the previous token keeps the guesses spent on it.
    let device = ctx.random.token_id();
    let signature = ctx.keys.sign_device(&statement(&ctx.keys, email, &device));
    format!("{device}.{signature}")
}

/// Returns the id of the client's device, if its cookie proves an earlier log-in as `email`.
#[must_use]
pub(super) fn known_id<'a>(
    keys: &DerivedKeys,
    email: &Email,
    info: &'a RequestInfo,
) -> Option<&'a str> {
    let (device, signature) = info.device.as_deref()?.split_once('.')?;
    keys.is_device_signature(signature, &statement(keys, email, device)).then_some(device)
}

fn statement(keys: &DerivedKeys, email: &Email, device: &str) -> String {
    // With the address, so that the token of one account makes no device known to another.
    format!("{device}.{}", keys.pseudonym(email.canonical()))
}
