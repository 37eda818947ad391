//! Groups of staff, and who may change what they grant.
//!
//! Whoever changes a group hands out what it grants, so that nobody may who does not have all of it,
//! before and after: otherwise a group would be a ladder. Superusers have everything.

use serde_json::{Value, json};
use thiserror::Error;

use crate::admin::Acting;
use crate::audit;
use crate::audit::{Action, Event};
use crate::context::Ctx;
use crate::db::{DbError, Transaction};
use crate::groups;
use crate::groups::{Group, GroupName};
use crate::types::{GroupId, Permissions, Person};

/// Why nothing was done to a group.
#[derive(Debug, Error)]
pub enum TeamError {
    /// There is no such group.
    #[error("no such group")]
    Unknown,
    /// It grants, or would grant, what whoever acts does not have.
    #[error("nobody grants what they do not have")]
    AboveOneself,
    /// It would take something from a member who may do more than the actor.
    #[error("a member may do more than the actor")]
    AboveMember,
    /// Another group is called so.
    #[error("the name is taken")]
    NameTaken,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Whether somebody may change or delete what grants this.
#[must_use]
pub fn may_lead(person: &Person, granted: Permissions) -> bool {
    granted.are_within(person.permissions())
}

/// Makes a group.
///
/// # Errors
/// [`TeamError`] says why not.
pub async fn open(
    ctx: &Ctx,
    acting: Acting<'_>,
    name: &GroupName,
    permissions: Permissions,
) -> Result<GroupId, TeamError> {
    if !may_lead(acting.by, permissions) {
        return Err(TeamError::AboveOneself);
    }
    let transaction = ctx.db.begin().await?;
    let made = groups::open(&transaction, name, permissions, ctx.clock.now()).await?;
    let id = made.ok_or(TeamError::NameTaken)?;
    let changes = json!({
        "name": [Value::Null, name.as_str()],
        "permissions": [json!([]), names(permissions)],
    });
    finish(ctx, acting, transaction, Action::GroupMade, id, changes).await?;
    Ok(id)
}

/// Changes a group's name and what it grants. Saving what is there already leaves no trace.
///
/// # Errors
/// [`TeamError`] says why not.
pub async fn change(
    ctx: &Ctx,
    acting: Acting<'_>,
    id: GroupId,
    name: &GroupName,
    permissions: Permissions,
) -> Result<(), TeamError> {
    let transaction = ctx.db.begin().await?;
    let group = lock(&transaction, acting, id).await?;
    if !may_lead(acting.by, permissions) {
        return Err(TeamError::AboveOneself);
    }
    if !group.permissions.are_within(permissions) {
        must_reach_members(&transaction, acting, id).await?;
    }
    let mut changes = serde_json::Map::new();
    if group.name != name.as_str() {
        changes.insert("name".into(), json!([group.name, name.as_str()]));
    }
    if group.permissions != permissions {
        let both = json!([names(group.permissions), names(permissions)]);
        changes.insert("permissions".into(), both);
    }
    if changes.is_empty() {
        return Ok(());
    }
    if !groups::change(&transaction, id, name, permissions, ctx.clock.now()).await? {
        return Err(TeamError::NameTaken);
    }
    finish(ctx, acting, transaction, Action::GroupChanged, id, changes.into()).await
}

/// Deletes a group; its members lose what it granted, and stay.
///
/// # Errors
/// [`TeamError`] says why not.
pub async fn delete(ctx: &Ctx, acting: Acting<'_>, id: GroupId) -> Result<(), TeamError> {
    let transaction = ctx.db.begin().await?;
    let group = lock(&transaction, acting, id).await?;
    if group.permissions != Permissions::NONE {
        must_reach_members(&transaction, acting, id).await?;
    }
    if !groups::delete(&transaction, id).await? {
        return Err(TeamError::Unknown);
    }
    let changes = json!({
        "name": [group.name, Value::Null],
        "permissions": [names(group.permissions), json!([])],
    });
    finish(ctx, acting, transaction, Action::GroupDeleted, id, changes).await
}

/// The group as it stands until the transaction ends. Rights are asked only then: what it grants may
/// have changed since the page was drawn.
async fn lock(
    transaction: &Transaction,
    acting: Acting<'_>,
    id: GroupId,
) -> Result<Group, TeamError> {
    let group = groups::lock(transaction, id).await?.ok_or(TeamError::Unknown)?;
    if may_lead(acting.by, group.permissions) { Ok(group) } else { Err(TeamError::AboveOneself) }
}

/// Refuses to take from a colleague who may do more than the actor, also by the group they are in.
async fn must_reach_members(
    transaction: &Transaction,
    acting: Acting<'_>,
    id: GroupId,
) -> Result<(), TeamError> {
    let others = acting.by.permissions().others();
    let is_beyond = groups::has_member_granted(transaction, id, others).await?;
    if is_beyond { Err(TeamError::AboveMember) } else { Ok(()) }
}

fn names(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(crate::types::Permission::as_str).collect()
}

async fn finish(
    ctx: &Ctx,
    acting: Acting<'_>,
    transaction: Transaction,
    action: Action,
    id: GroupId,
    changes: Value,
) -> Result<(), TeamError> {
    let details = json!({ "group": id.0, "changes": changes });
    let event = Event { target: None, ..Event::by(acting.by.id, action, acting.caller) };
    audit::record(&transaction, event.with(details), ctx.clock.now()).await?;
    transaction.commit().await?;
    // What members may do is part of what is remembered of them.
    ctx.cache.forget_everybody();
    tracing::info!(
        group.id = id.0,
        staff.id = acting.by.id.0,
        action = action.as_str(),
        request.id = acting.caller.request_id,
        "staff changed a group"
    );
    Ok(())
}
