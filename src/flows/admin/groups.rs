//! Changes to groups of staff.
//!
//! An administrator changes a group only when they have every permission that it grants, before and
//! after; otherwise a group would be a way to more permissions. Superusers have every permission.

use serde_json::{Value, json};
use thiserror::Error;

use crate::admin::Actor;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::groups;
use crate::groups::{Group, GroupName};
use crate::types::{GroupId, Permissions, User};

/// Why a change to a group was refused.
#[derive(Debug, Error)]
pub enum GroupError {
    /// The group does not exist.
    #[error("no such group")]
    NotFound,
    /// It grants, or would grant, a permission that the actor lacks.
    #[error("the actor lacks a permission of the group")]
    MissingPermissions,
    /// It would take a permission from a member who has permissions that the actor lacks.
    #[error("a member has permissions that the actor lacks")]
    MemberHasMore,
    /// Another group has the name.
    #[error("the name is taken")]
    NameTaken,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Returns whether a user may change or delete a group that grants these permissions.
#[must_use]
pub fn may_manage(user: &User, granted: Permissions) -> bool {
    granted.are_within(user.permissions())
}

/// Creates a group.
pub async fn create(
    ctx: &Context,
    actor: Actor<'_>,
    name: &GroupName,
    permissions: Permissions,
) -> Result<GroupId, GroupError> {
    // A group that grants more than its maker has would be a way to more permissions.
    if !may_manage(actor.user, permissions) {
        return Err(GroupError::MissingPermissions);
    }
    let transaction = ctx.db.begin().await?;
    let made = groups::create(&transaction, name, permissions, ctx.clock.now()).await?;
    let id = made.ok_or(GroupError::NameTaken)?;
    let changes = json!({
        "name": [Value::Null, name.as_str()],
        "permissions": [json!([]), names(permissions)],
    });
    finish(ctx, actor, transaction, AuditEventKind::GroupCreated, id, changes).await?;
    Ok(id)
}

/// Changes the name and the permissions of a group. Saving what is there already writes nothing.
pub async fn update(
    ctx: &Context,
    actor: Actor<'_>,
    id: GroupId,
    name: &GroupName,
    permissions: Permissions,
) -> Result<(), GroupError> {
    let transaction = ctx.db.begin().await?;
    let group = lock(&transaction, actor, id).await?;
    if !may_manage(actor.user, permissions) {
        return Err(GroupError::MissingPermissions);
    }
    // Taking a permission from a group takes it from its members.
    if !group.permissions.are_within(permissions) {
        ensure_may_manage_members(&transaction, actor, id).await?;
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
    if !groups::update(&transaction, id, name, permissions, ctx.clock.now()).await? {
        return Err(GroupError::NameTaken);
    }
    finish(ctx, actor, transaction, AuditEventKind::GroupChanged, id, changes.into()).await
}

/// Deletes a group; its members lose its permissions and stay.
pub async fn delete(ctx: &Context, actor: Actor<'_>, id: GroupId) -> Result<(), GroupError> {
    let transaction = ctx.db.begin().await?;
    let group = lock(&transaction, actor, id).await?;
    if group.permissions != Permissions::NONE {
        ensure_may_manage_members(&transaction, actor, id).await?;
    }
    if !groups::delete(&transaction, id).await? {
        return Err(GroupError::NotFound);
    }
    let changes = json!({
        "name": [group.name, Value::Null],
        "permissions": [names(group.permissions), json!([])],
    });
    finish(ctx, actor, transaction, AuditEventKind::GroupDeleted, id, changes).await
}

/// Returns the group, locked until the transaction ends.
async fn lock(
    transaction: &Transaction,
    actor: Actor<'_>,
    id: GroupId,
) -> Result<Group, GroupError> {
    let group = groups::lock(transaction, id).await?.ok_or(GroupError::NotFound)?;
    // Checked under the lock: what the group grants may have changed since the page was rendered.
    if may_manage(actor.user, group.permissions) {
        Ok(group)
    } else {
        Err(GroupError::MissingPermissions)
    }
}

/// Refuses to take permissions from a member who has, also by this group, permissions that the
/// actor lacks.
async fn ensure_may_manage_members(
    transaction: &Transaction,
    actor: Actor<'_>,
    id: GroupId,
) -> Result<(), GroupError> {
    let others = actor.user.permissions().others();
    let outranks = groups::has_member_granted(transaction, id, others).await?;
    if outranks { Err(GroupError::MemberHasMore) } else { Ok(()) }
}

fn names(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(crate::types::Permission::as_str).collect()
}

async fn finish(
    ctx: &Context,
    actor: Actor<'_>,
    transaction: Transaction,
    kind: AuditEventKind,
    id: GroupId,
    changes: Value,
) -> Result<(), GroupError> {
    let details = json!({ "group": id.0, "changes": changes });
    let event =
        // The event is about a group and not about the user who acts.
        AuditEvent { target: None, ..AuditEvent::by_owner(actor.user.id, kind, actor.info) };
    audit::record(&transaction, event.with_details(details), ctx.clock.now()).await?;
    transaction.commit().await?;
    tracing::info!(
        group.id = id.0,
        staff.id = actor.user.id.0,
        action = kind.as_str(),
        request.id = actor.info.request_id,
        "staff changed a group"
    );
    Ok(())
}
