//! The custom claims of access tokens (setting `custom_claims`): e-mail, name, staff flag, groups.
//!
//! Read from the database only when a token is signed, at log-in and at refresh. Without the
//! setting nothing is read.

use serde_json::Value;

use super::{RefreshError, find_or_reason, group_names};
use crate::accounts;
use crate::config::CustomClaim;
use crate::context::Context;
use crate::crypto::jwt::Claims;
use crate::db::{DbError, Transaction};
use crate::groups;
use crate::types::{SessionId, User, UserId};

/// Size limit for the names of groups, in bytes: about twenty long names.
const MAX_GROUPS_BYTES: usize = 1536;

/// Size limit for all custom claims with the issuer and the audience, in bytes of JSON. A token is
/// sent in a cookie, and browsers drop cookies of more than 4096 bytes (RFC 6265, 6.1). The longest
/// cookie name, the header, the signature and the other claims take 600 of them; base64 turns three
/// bytes into four.
const MAX_CLAIMS_BYTES: usize = (4096 - 600) / 4 * 3;

/// Returns the custom claims for a new session, as its own transaction sees the account.
pub(super) async fn for_new_session(
    ctx: &Context,
    transaction: &Transaction,
    user: UserId,
) -> Result<Claims, DbError> {
    if ctx.settings.custom_claims.is_empty() {
        return Ok(Claims::new());
    }
    // In the transaction: an account that was just created is visible nowhere else.
    let account = accounts::find_by_id(transaction, user).await?;
    let Some(account) = account else { return Ok(Claims::new()) };
    let mut names = Vec::new();
    if wants_groups(ctx) {
        let groups = groups::list_of_user(transaction, user).await?;
        names.extend(groups.into_iter().map(|(_, name)| name));
    }
    Ok(custom_claims(ctx, &account.user, &names))
}

/// Returns the custom claims for a refreshed access token.
pub(super) async fn for_refresh(ctx: &Context, session: SessionId) -> Result<Claims, RefreshError> {
    if ctx.settings.custom_claims.is_empty() {
        return Ok(Claims::new());
    }
    let active = find_or_reason(ctx, session).await??;
    let names = if wants_groups(ctx) { group_names(ctx, &active).await? } else { &[] };
    Ok(custom_claims(ctx, &active.user, names))
}

fn wants_groups(ctx: &Context) -> bool {
    ctx.settings.custom_claims.contains(&CustomClaim::Groups)
}

fn custom_claims(ctx: &Context, user: &User, groups: &[String]) -> Claims {
    let (wanted, settings) = (&ctx.settings.custom_claims, &ctx.settings);
    let mut claims = Claims::new();
    for claim in wanted {
        let value: Value = match claim {
            CustomClaim::Email => user.email.as_typed().into(),
            CustomClaim::Name => user.profile.name.as_str().into(),
            CustomClaim::IsStaff => user.is_staff.into(),
            // Last: groups get the space that the other claims leave.
            CustomClaim::Groups => continue,
        };
        claims.insert(claim.as_str().to_owned(), value);
    }
    if wants_groups(ctx) {
        let others: usize = claims.iter().map(|(name, value)| json_bytes(name, value)).sum();
        let others = others + settings.issuer.len() + settings.audience.len();
        let room = MAX_CLAIMS_BYTES.saturating_sub(others).min(MAX_GROUPS_BYTES);
        let groups = groups_that_fit(user.id, groups, room);
        claims.insert(CustomClaim::Groups.as_str().to_owned(), groups.into());
    }
    claims
}

/// Returns how many bytes a claim takes: two quotes, a colon and a comma besides its name and
/// value.
fn json_bytes(name: &str, value: &Value) -> usize {
    name.len() + value.to_string().len() + 4
}

/// Returns the first groups that fit.
fn groups_that_fit(user: UserId, groups: &[String], mut room: usize) -> Vec<String> {
    // Leaving groups out is safe: a shorter list never grants more.
    let fit = groups.iter().map_while(|name| {
        // Two quotes and a comma; a quote or a backslash in the name takes two bytes.
        let length = name.len() + name.matches(['"', '\\']).count() + 3;
        room = room.checked_sub(length)?;
        Some(name.clone())
    });
    let fit: Vec<_> = fit.collect();
    if fit.len() < groups.len() {
        tracing::warn!(user.id = user.0, "a token has no room for all groups of its user");
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_do_not_fit_are_left_out() {
        let groups: Vec<String> = (0..9).map(|number| format!("{number}").repeat(300)).collect();

        assert_eq!(groups_that_fit(UserId(1), &groups, MAX_GROUPS_BYTES), groups[..5]);
        assert_eq!(groups_that_fit(UserId(1), &groups, 700), groups[..2]);
        assert_eq!(groups_that_fit(UserId(1), &groups[..2], MAX_GROUPS_BYTES), groups[..2]);
        assert!(groups_that_fit(UserId(1), &groups, 0).is_empty());
    }
}
