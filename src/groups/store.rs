//! Queries on `groups`, `group_permissions` and `group_members`.

use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, TryInsertResult,
};
use time::OffsetDateTime;

use super::{Group, GroupName};
use crate::clock::to_micros;
use crate::db::entity::{group, group_member, group_permission, user};
use crate::db::{Db, DbError, Executor, Invalidate, Transaction};
use crate::types::{GroupId, Permission, Permissions, UserId};

/// Lists up to `at_most` groups by name.
pub async fn list(db: &Db, at_most: u64) -> Result<Vec<Group>, DbError> {
    let rows =
        group::Entity::find().order_by_asc(group::Column::Name).limit(at_most).all(db.reader());
    let mut groups = Vec::new();
    for row in rows.await? {
        groups.push(filled(db.reader(), row).await?);
    }
    Ok(groups)
}

/// Lists the names of up to `at_most` groups, by one statement.
pub async fn names(db: &Db, at_most: u64) -> Result<Vec<(GroupId, String)>, DbError> {
    let names: Vec<(i64, String)> = group::Entity::find()
        .select_only()
        .columns([group::Column::Id, group::Column::Name])
        .order_by_asc(group::Column::Name)
        .limit(at_most)
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(names.into_iter().map(|(id, name)| (GroupId(id), name)).collect())
}

/// Returns the group with this id.
pub async fn find(executor: &impl Executor, id: GroupId) -> Result<Option<Group>, DbError> {
    match group::Entity::find_by_id(id.0).one(executor.connection()).await? {
        Some(row) => filled(executor.connection(), row).await.map(Some),
        None => Ok(None),
    }
}

/// Returns the group, locked until the transaction ends.
pub async fn lock(transaction: &Transaction, id: GroupId) -> Result<Option<Group>, DbError> {
    let connection = transaction.connection();
    match group::Entity::find_by_id(id.0).lock(LockType::Update).one(connection).await? {
        Some(row) => filled(connection, row).await.map(Some),
        None => Ok(None),
    }
}

async fn filled<C: ConnectionTrait>(connection: &C, row: group::Model) -> Result<Group, DbError> {
    let names: Vec<String> = group_permission::Entity::find()
        .select_only()
        .column(group_permission::Column::Permission)
        .filter(group_permission::Column::GroupId.eq(row.id))
        .into_tuple()
        .all(connection)
        .await?;
    let members = group_member::Entity::find()
        .filter(group_member::Column::GroupId.eq(row.id))
        .count(connection)
        .await?;
    Ok(Group { id: GroupId(row.id), name: row.name, permissions: known(&names), members })
}

/// Returns the permissions with these stored names.
fn known(names: &[String]) -> Permissions {
    // A name that only another version knows grants nothing.
    names.iter().filter_map(|name| Permission::from_stored(name)).collect()
}

/// Creates a group. Returns `None` when the name is taken.
pub async fn create(
    transaction: &Transaction,
    name: &GroupName,
    permissions: Permissions,
    now: OffsetDateTime,
) -> Result<Option<GroupId>, DbError> {
    let row = group::ActiveModel {
        name: Set(name.as_str().to_owned()),
        created_at: Set(to_micros(now)),
        updated_at: Set(to_micros(now)),
        ..Default::default()
    };
    let inserted = group::Entity::insert(row)
        // The database decides whether the name is free; an error would end the transaction.
        .on_conflict_do_nothing_on([group::Column::Name])
        .exec(transaction.connection())
        .await?;
    let TryInsertResult::Inserted(done) = inserted else { return Ok(None) };
    let id = GroupId(done.last_insert_id);
    replace_permissions(transaction, id, permissions).await?;
    Ok(Some(id))
}

/// Writes a locked group. Returns `false` when the name is taken; then the transaction must not be
/// committed.
pub async fn update(
    transaction: &Transaction,
    id: GroupId,
    name: &GroupName,
    permissions: Permissions,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    // What members may do is cached with their sessions.
    transaction.after_commit(Invalidate::AllSessions);
    let done = group::Entity::update_many()
        .col_expr(group::Column::Name, Expr::value(name.as_str()))
        .col_expr(group::Column::UpdatedAt, Expr::value(to_micros(now)))
        .filter(group::Column::Id.eq(id.0))
        .exec(transaction.connection())
        .await
        .map_err(DbError::from);
    match done {
        Ok(_) => {}
        Err(error) if error.is_duplicate() => return Ok(false),
        Err(error) => return Err(error),
    }
    replace_permissions(transaction, id, permissions).await?;
    Ok(true)
}

async fn replace_permissions(
    transaction: &Transaction,
    id: GroupId,
    permissions: Permissions,
) -> Result<(), DbError> {
    group_permission::Entity::delete_many()
        .filter(group_permission::Column::GroupId.eq(id.0))
        .exec(transaction.connection())
        .await?;
    let rows: Vec<_> = permissions
        .iter()
        .map(|permission| group_permission::ActiveModel {
            group_id: Set(id.0),
            permission: Set(permission.as_str().to_owned()),
        })
        .collect();
    if !rows.is_empty() {
        group_permission::Entity::insert_many(rows)
            .exec_without_returning(transaction.connection())
            .await?;
    }
    Ok(())
}

/// Deletes a group; its members stay.
pub async fn delete(transaction: &Transaction, id: GroupId) -> Result<bool, DbError> {
    // What members may do is cached with their sessions.
    transaction.after_commit(Invalidate::AllSessions);
    let done = group::Entity::delete_by_id(id.0).exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

/// Returns whether any group grants one of the permissions `any` to a member of this group who is
/// staff and no superuser.
pub async fn has_member_granted(
    transaction: &Transaction,
    group: GroupId,
    any: Permissions,
) -> Result<bool, DbError> {
    let names = any.iter().map(Permission::as_str);
    let granting = group_permission::Entity::find()
        .select_only()
        .column(group_permission::Column::GroupId)
        .filter(group_permission::Column::Permission.is_in(names))
        .into_query();
    let granted = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::UserId)
        .filter(group_member::Column::GroupId.in_subquery(granting))
        .into_query();
    let staff = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::IsStaff.eq(true))
        // Superusers have every permission without a group.
        .filter(user::Column::IsSuperuser.eq(false))
        .into_query();
    let member: Option<i64> = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::UserId)
        .filter(group_member::Column::GroupId.eq(group.0))
        .filter(group_member::Column::UserId.in_subquery(granted))
        .filter(group_member::Column::UserId.in_subquery(staff))
        .into_tuple()
        .one(transaction.connection())
        .await?;
    Ok(member.is_some())
}

/// Returns the permissions that the groups of a user grant together.
pub async fn granted_permissions(
    executor: &impl Executor,
    user: UserId,
) -> Result<Permissions, DbError> {
    let groups = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::GroupId)
        .filter(group_member::Column::UserId.eq(user.0))
        .into_query();
    let names: Vec<String> = group_permission::Entity::find()
        .select_only()
        .column(group_permission::Column::Permission)
        .filter(group_permission::Column::GroupId.in_subquery(groups))
        .into_tuple()
        .all(executor.connection())
        .await?;
    Ok(known(&names))
}

/// Lists the groups of a user with their names.
pub async fn list_of_user(
    executor: &impl Executor,
    user: UserId,
) -> Result<Vec<(GroupId, String)>, DbError> {
    let groups = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::GroupId)
        .filter(group_member::Column::UserId.eq(user.0))
        .into_query();
    let rows = group::Entity::find()
        .filter(group::Column::Id.in_subquery(groups))
        .order_by_asc(group::Column::Name)
        .all(executor.connection())
        .await?;
    Ok(rows.into_iter().map(|row| (GroupId(row.id), row.name)).collect())
}

/// Replaces the groups of a locked account.
pub async fn set_memberships(
    transaction: &Transaction,
    user: UserId,
    groups: &[GroupId],
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(user));
    group_member::Entity::delete_many()
        .filter(group_member::Column::UserId.eq(user.0))
        .exec(transaction.connection())
        .await?;
    let rows: Vec<_> = groups
        .iter()
        .map(|group| group_member::ActiveModel { group_id: Set(group.0), user_id: Set(user.0) })
        .collect();
    if !rows.is_empty() {
        group_member::Entity::insert_many(rows)
            .exec_without_returning(transaction.connection())
            .await?;
    }
    Ok(())
}
