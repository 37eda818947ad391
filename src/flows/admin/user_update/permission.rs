//! Checks whether the actor may save an account with these roles and groups.
//!
//! Does not ask for reauthentication: that is part of the update.

use crate::accounts::AccountUpdate;
use crate::admin;
use crate::admin::{AdminError, LockedTarget};
use crate::db::Transaction;
use crate::groups::Group;
use crate::types::Permission;

/// Checks the rules of saving, of which [`crate::admin`] has the common ones.
pub(super) async fn ensure_may_save(
    transaction: &Transaction,
    locked: &LockedTarget,
    after: &AccountUpdate,
    wanted: &[Group],
    added: &[&Group],
    has_left: bool,
) -> Result<(), AdminError> {
    let (actor, before) = (&locked.actor, AccountUpdate::of(&locked.account));
    if !actor.may(Permission::UsersChange) {
        return Err(AdminError::Forbidden);
    }
    let is_oneself = actor.id == locked.account.user.id;
    let is_less = (before.is_active && !after.is_active)
        || (before.is_staff && !after.is_staff)
        || (before.is_superuser && !after.is_superuser)
        || (has_left && !actor.is_superuser);
    if is_oneself && is_less {
        return Err(AdminError::OwnAccount);
    }
    // A colleague with permissions that the actor lacks is neither suspended, demoted nor taken
    // over.
    let takes_away = is_less || has_left;
    let becomes_staff = after.is_staff && !before.is_staff;
    let gained: Vec<&Group> = if becomes_staff { wanted.iter().collect() } else { added.to_vec() };
    let has_moved = before.email.canonical() != after.email.canonical();
    if !admin::may_grant(actor, after.is_superuser && !before.is_superuser, &gained)
        || ((has_moved || takes_away)
            && !is_oneself
            && !locked.may_be_taken_over(transaction).await?)
    {
        return Err(AdminError::Forbidden);
    }
    Ok(())
}
