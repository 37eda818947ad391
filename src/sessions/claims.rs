//! What access tokens say of a person beyond who it is, where the settings ask for it.
//!
//! Found out when a token is signed, at log-in and at renewal, and never in between; a site that asks
//! for nothing pays nothing.

use serde_json::Value;

use super::{RenewError, groups_of, look_up};
use crate::accounts;
use crate::config::CustomClaim;
use crate::crypto::jwt::Claims;
use crate::ctx::Ctx;
use crate::db::{DbError, Transaction};
use crate::groups;
use crate::types::{Person, SessionId, UserId};

/// Room for the names of groups, in bytes. A token travels in a cookie, browsers drop cookies of more
/// than 4096 bytes (RFC 6265, 6.1), and base64 makes four bytes of three.
const ROOM_FOR_GROUPS: usize = 1536;

/// What a token says that is signed at a log-in, as the log-in's own transaction sees it.
pub(super) async fn at_log_in(
    ctx: &Ctx,
    transaction: &Transaction,
    user: UserId,
) -> Result<Claims, DbError> {
    if ctx.settings.custom_claims.is_empty() {
        return Ok(Claims::new());
    }
    let account = accounts::find_by_id_in(transaction, user).await?;
    let Some(account) = account else { return Ok(Claims::new()) };
    let mut names = Vec::new();
    if asks_for_groups(ctx) {
        let groups = groups::of_in(transaction, user).await?;
        names.extend(groups.into_iter().map(|(_, name)| name));
    }
    Ok(said(ctx, &account.person, &names))
}

/// What a token says that is signed at a renewal.
pub(super) async fn at_renewal(ctx: &Ctx, session: SessionId) -> Result<Claims, RenewError> {
    if ctx.settings.custom_claims.is_empty() {
        return Ok(Claims::new());
    }
    let living = look_up(ctx, session).await??;
    let names = if asks_for_groups(ctx) { groups_of(ctx, &living).await? } else { &[] };
    Ok(said(ctx, &living.person, names))
}

fn asks_for_groups(ctx: &Ctx) -> bool {
    ctx.settings.custom_claims.contains(&CustomClaim::Groups)
}

fn said(ctx: &Ctx, person: &Person, groups: &[String]) -> Claims {
    let asked = ctx.settings.custom_claims.iter();
    let claims = asked.map(|claim| {
        let value: Value = match claim {
            CustomClaim::Email => person.email.as_typed().into(),
            CustomClaim::Name => person.name.as_str().into(),
            CustomClaim::IsStaff => person.is_staff.into(),
            CustomClaim::Groups => fitting(person.id, groups).into(),
        };
        (claim.as_str().to_owned(), value)
    });
    claims.collect()
}

/// The first groups that there is room for: to be in fewer groups lets nobody do more.
fn fitting(user: UserId, groups: &[String]) -> Vec<String> {
    let mut room = ROOM_FOR_GROUPS;
    let fit = groups.iter().map_while(|name| {
        // Two quotes and a comma; a quote or a backslash in the name takes two bytes.
        let length = name.len() + name.matches(['"', '\\']).count() + 3;
        room = room.checked_sub(length)?;
        Some(name.clone())
    });
    let fit: Vec<_> = fit.collect();
    if fit.len() < groups.len() {
        tracing::warn!(user.id = user.0, "a token has no room for all groups of its person");
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_for_which_there_is_no_room_are_left_out() {
        let groups: Vec<String> = (0..9).map(|number| format!("{number}").repeat(300)).collect();

        assert_eq!(fitting(UserId(1), &groups), groups[..5]);
        assert_eq!(fitting(UserId(1), &groups[..2]), groups[..2]);
    }
}
