//! Queries on `social_providers` and `social_identities`.

use sea_orm::sea_query::{Alias, Cond, Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, TryInsertResult,
};
use time::OffsetDateTime;

use super::{Identity, Provider, ProviderInput, SEAL};
use crate::clock::{from_micros, to_micros};
use crate::context::Context;
use crate::db::entity::{social_identity, social_provider};
use crate::db::{Db, DbError, Invalidate, Transaction};
use crate::oauth::{ClientRegistration, ProviderUser, RegistrationInput};
use crate::types::{Email, UserId};

use social_identity::Column as Identities;
use social_provider::Column as Providers;

/// A registration as it is stored, with its sealed secret.
pub(super) struct Row(social_provider::Model);

impl Row {
    /// Unseals the secret and parses the registration; logs one that cannot be parsed.
    pub(super) fn into_provider(self, ctx: &Context) -> Option<Provider> {
        let Self(row) = self;
        let sealed = row.client_secret.as_ref();
        let unsealed = sealed.map(|sealed| ctx.keys.unseal(SEAL, sealed)).transpose();
        let unsealed = unsealed.inspect_err(|error| {
            tracing::error!(provider = row.slug, %error, "a provider cannot be used");
        });
        // Sealed under another master secret, it stays inactive until staff type the secret again.
        let is_active = row.is_active && unsealed.is_ok();
        let secret = unsealed.ok().flatten().unwrap_or_default();
        let secret = String::from_utf8_lossy(&secret).into_owned();
        let input = RegistrationInput {
            provider: row.kind,
            slug: row.slug.clone(),
            name: row.name,
            client_id: row.client_id,
            client_secret: secret,
            app_id: row.app_id,
            issuer: row.issuer,
            authorization_endpoint: row.authorization_endpoint,
            token_endpoint: row.token_endpoint,
            userinfo_endpoint: row.userinfo_endpoint,
            token_info_endpoint: row.token_info_endpoint,
        };
        // Another version may have written it. It is left out, so that the others still work.
        let Ok(registration) = ClientRegistration::parse(&input) else {
            tracing::error!(provider = row.slug, "a provider is stored that cannot be one");
            return None;
        };
        let (id, position) = (Some(row.id), row.position);
        Some(Provider { id, registration, is_active, position })
    }
}

pub(super) async fn list(db: &Db, at_most: u64) -> Result<Vec<Row>, DbError> {
    let rows = social_provider::Entity::find()
        .order_by_asc(Providers::Position)
        .order_by_asc(Providers::Id)
        .limit(at_most)
        .all(db.reader())
        .await?;
    Ok(rows.into_iter().map(Row).collect())
}

pub(super) async fn find(db: &Db, id: i64) -> Result<Option<Row>, DbError> {
    Ok(social_provider::Entity::find_by_id(id).one(db.reader()).await?.map(Row))
}

pub(super) async fn find_by_slug(db: &Db, slug: &str) -> Result<Option<Row>, DbError> {
    let row = social_provider::Entity::find().filter(Providers::Slug.eq(slug));
    Ok(row.one(db.reader()).await?.map(Row))
}

pub(super) async fn insert(
    ctx: &Context,
    transaction: &Transaction,
    registration: &ClientRegistration,
    input: &ProviderInput,
    now: OffsetDateTime,
) -> Result<Option<i64>, DbError> {
    transaction.after_commit(Invalidate::LoginProviders);
    let row = social_provider::ActiveModel {
        kind: Set(registration.kind.as_str().to_owned()),
        slug: Set(registration.slug.clone()),
        created_at: Set(to_micros(now)),
        ..filled(ctx, registration, input, now)
    };
    let inserted = social_provider::Entity::insert(row)
        .on_conflict_do_nothing_on([Providers::Slug])
        .exec(transaction.connection())
        .await?;
    Ok(match inserted {
        TryInsertResult::Inserted(done) => Some(done.last_insert_id),
        TryInsertResult::Conflicted | TryInsertResult::Empty => None,
    })
}

pub(super) async fn update(
    ctx: &Context,
    transaction: &Transaction,
    id: i64,
    registration: &ClientRegistration,
    input: &ProviderInput,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::LoginProviders);
    let done = social_provider::Entity::update_many()
        .set(filled(ctx, registration, input, now))
        .filter(Providers::Id.eq(id))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Returns the columns that can change.
fn filled(
    ctx: &Context,
    registration: &ClientRegistration,
    input: &ProviderInput,
    now: OffsetDateTime,
) -> social_provider::ActiveModel {
    let secret = registration.client_secret.as_ref();
    let sealed = secret.map(|secret| ctx.keys.seal(SEAL, secret.expose().as_bytes()));
    let [authorization, token, userinfo, token_info] = registration
        .endpoints
        .each_ref()
        .map(|endpoint| endpoint.as_ref().map_or_else(String::new, |it| it.as_str().to_owned()));
    social_provider::ActiveModel {
        name: Set(registration.name.clone()),
        client_id: Set(registration.client_id.clone()),
        client_secret: Set(sealed),
        app_id: Set(registration.app_id.clone().unwrap_or_default()),
        issuer: Set(registration.issuer.clone().unwrap_or_default()),
        authorization_endpoint: Set(authorization),
        token_endpoint: Set(token),
        userinfo_endpoint: Set(userinfo),
        token_info_endpoint: Set(token_info),
        is_active: Set(input.is_active),
        position: Set(input.position),
        updated_at: Set(to_micros(now)),
        ..Default::default()
    }
}

pub(super) async fn delete(transaction: &Transaction, id: i64) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::LoginProviders);
    let done = social_provider::Entity::delete_by_id(id).exec(transaction.connection()).await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn delete_of_provider(
    transaction: &Transaction,
    slug: &str,
) -> Result<u64, DbError> {
    let done = social_identity::Entity::delete_many()
        .filter(Identities::Provider.eq(slug))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

/// Returns the account to which a provider's user is connected.
pub async fn find_user(
    transaction: &Transaction,
    provider_user: &ProviderUser,
) -> Result<Option<UserId>, DbError> {
    let row = social_identity::Entity::find()
        .filter(Identities::Issuer.eq(provider_user.issuer.as_str()))
        .filter(Identities::Subject.eq(provider_user.subject.as_str()))
        .one(transaction.connection())
        .await?;
    Ok(row.map(|row| UserId(row.user_id)))
}

/// Records a log-in by a provider's user into a locked account; returns `false` if they are not connected
/// any more.
pub async fn record_use(
    transaction: &Transaction,
    user: UserId,
    provider_user: &ProviderUser,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = social_identity::Entity::update_many()
        .col_expr(Identities::UsedAt, Expr::value(to_micros(now)))
        .filter(Identities::UserId.eq(user.0))
        .filter(Identities::Issuer.eq(provider_user.issuer.as_str()))
        .filter(Identities::Subject.eq(provider_user.subject.as_str()))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Connects a provider's user to an account; returns `false` if they are connected to one already.
pub async fn connect(
    transaction: &Transaction,
    user: UserId,
    slug: &str,
    provider_user: &ProviderUser,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let email = provider_user.email.as_ref().map(Email::as_typed);
    let row = social_identity::ActiveModel {
        user_id: Set(user.0),
        provider: Set(slug.to_owned()),
        issuer: Set(provider_user.issuer.clone()),
        subject: Set(provider_user.subject.clone()),
        label: Set(email.unwrap_or(provider_user.name.as_str()).to_owned()),
        connected_at: Set(to_micros(now)),
        used_at: Set(to_micros(now)),
        ..Default::default()
    };
    let inserted = social_identity::Entity::insert(row)
        // The unique index decides, so of several attempts at once one succeeds.
        .on_conflict_do_nothing_on([Identities::Issuer, Identities::Subject])
        .exec_without_returning(transaction.connection())
        .await?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1)))
}

pub(super) async fn delete_identity(
    transaction: &Transaction,
    user: UserId,
    id: i64,
    slugs: &[&str],
    has_password: bool,
) -> Result<Option<Identity>, DbError> {
    let other = Alias::new("other");
    let column = |column: Identities| Expr::col((other.clone(), column));
    let another = Query::select()
        .expr(Expr::val(1))
        .from_as(social_identity::Entity, other.clone())
        .and_where(column(Identities::UserId).eq(user.0))
        .and_where(column(Identities::Id).ne(id))
        .and_where(column(Identities::Provider).is_in(slugs.iter().copied()))
        .take();
    let mut delete = social_identity::Entity::delete_many()
        .filter(Identities::Id.eq(id))
        .filter(Identities::UserId.eq(user.0));
    if !has_password {
        delete = delete.filter(Cond::all().add(Expr::exists(another)));
    }
    let rows = delete.exec_with_returning(transaction.connection()).await?;
    Ok(rows.into_iter().next().map(identity))
}

/// Returns whether an identity is connected to this account.
pub async fn is_connected(
    transaction: &Transaction,
    user: UserId,
    id: i64,
) -> Result<bool, DbError> {
    let identity = social_identity::Entity::find_by_id(id).filter(Identities::UserId.eq(user.0));
    Ok(identity.one(transaction.connection()).await?.is_some())
}

/// Deletes the identities that were connected before an instant, or all.
pub(super) async fn delete_of_user(
    transaction: &Transaction,
    user: UserId,
    before: Option<OffsetDateTime>,
) -> Result<Vec<Identity>, DbError> {
    let mut delete = social_identity::Entity::delete_many().filter(Identities::UserId.eq(user.0));
    if let Some(before) = before {
        delete = delete.filter(Identities::ConnectedAt.lt(to_micros(before)));
    }
    let rows = delete.exec_with_returning(transaction.connection()).await?;
    Ok(rows.into_iter().map(identity).collect())
}

pub(super) async fn list_of(db: &Db, user: UserId, at_most: u64) -> Result<Vec<Identity>, DbError> {
    let rows = social_identity::Entity::find()
        .filter(Identities::UserId.eq(user.0))
        .order_by_asc(Identities::Id)
        .limit(at_most)
        .all(db.reader())
        .await?;
    Ok(rows.into_iter().map(identity).collect())
}

/// Counts the identities of a provider, up to `at_most`.
pub async fn count_identities(db: &Db, slug: &str, at_most: u64) -> Result<u64, DbError> {
    let of = social_identity::Entity::find().filter(Identities::Provider.eq(slug)).limit(at_most);
    Ok(of.count(db.reader()).await?)
}

fn identity(row: social_identity::Model) -> Identity {
    Identity {
        id: row.id,
        user: UserId(row.user_id),
        provider: row.provider,
        issuer: row.issuer,
        subject: row.subject,
        label: row.label,
        connected_at: from_micros(row.connected_at),
        used_at: from_micros(row.used_at),
    }
}
