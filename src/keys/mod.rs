//! The signing keys in the database: created by one node, encrypted, shared by all.
//!
//! A key is published before it signs, so that services that cache the published keys know it; then it
//! signs until a younger one does; then its tokens are accepted until all have expired. Everything
//! follows from the rows, so every node comes to the same result (docs/decisions/0013). Does not decide
//! when a new key is due.

mod store;

use thiserror::Error;
use time::{Duration, OffsetDateTime};

pub use store::add;

use crate::context::Context;
use crate::crypto::{Algorithm, KeyError, Keyring, SigningKey, TimedKey, UnsealError, jwt};
use crate::db::{DbError, Transaction};
use store::StoredKey;

/// What sealed keys are labelled with.
const LABEL: &str = "signing key";

/// The generation of the first key; each that follows has the next number.
const FIRST: i64 = 1;

/// For how long other services may cache the published keys.
pub const KEY_SET_MAX_AGE: std::time::Duration = std::time::Duration::from_mins(5);

/// How long a public key is published before it signs: twice [`KEY_SET_MAX_AGE`], so that it does not
/// matter if a node reads the keys late.
const PUBLICATION_LEAD: Duration = Duration::minutes(10);

/// How long before it signs a shared key is created, because it has to be distributed by hand.
const HANDOVER_LEAD: Duration = Duration::DAY;

/// How long tokens are accepted after the last one should have expired: clocks differ.
const SLACK: Duration = Duration::MINUTE;

/// How often an unknown key name makes this node read the keys: attackers can make up names.
const RELOAD_EVERY: Duration = Duration::SECOND;

/// Why there are no signing keys.
#[derive(Debug, Error)]
pub enum KeysError {
    /// They were sealed under another master secret.
    #[error("the signing keys in the database were sealed under another secret_key")]
    Sealed(#[from] UnsealError),
    /// A row holds no key.
    #[error("a signing key in the database is damaged")]
    Damaged(#[from] KeyError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A key that was generated and is not stored yet.
#[derive(Debug)]
pub struct NewKey {
    /// The name by which tokens refer to it.
    pub id: String,
    /// The one algorithm that it is used with.
    pub algorithm: Algorithm,
    /// When it begins to sign.
    pub signs_from: OffsetDateTime,
    generation: i64,
    sealed: String,
    token_lifetime: Duration,
}

/// Loads the keys; generates the first one if there is none.
pub async fn load(ctx: &Context) -> Result<(), KeysError> {
    // One reader at a time, or an old result could replace a newer one.
    let _turn = ctx.keys_read_at.lock().await;
    read(ctx).await
}

/// Checks whether the keys can be loaded; generates none.
///
/// # Errors
/// [`KeysError`] when they cannot.
pub async fn check(ctx: &Context) -> Result<(), KeysError> {
    let rows = store::list(&ctx.db).await?;
    rows.iter().try_for_each(|row| import(ctx, row).map(drop))
}

/// Reads the keys if a token names one that this node does not know, because another node may just
/// have created it. Returns whether to verify the token again.
pub async fn reload_for_unknown_key(ctx: &Context, token: &str) -> bool {
    let Some(id) = jwt::key_id_of(token) else { return false };
    if ctx.keyring().knows(&id) {
        return false;
    }
    // Requests that wait here find the key that the first one has read.
    let mut read_at = ctx.keys_read_at.lock().await;
    let now = ctx.clock.now();
    let was_just_read = read_at.is_some_and(|at| now >= at && now - at < RELOAD_EVERY);
    if !was_just_read && !ctx.keyring().knows(&id) {
        *read_at = Some(now);
        if let Err(error) = read(ctx).await {
            tracing::error!(%error, "the signing keys could not be read");
        }
    }
    ctx.keyring().knows(&id)
}

/// Generates the key that follows the youngest known one. It signs after its publication lead, or at
/// once.
///
/// # Errors
/// [`KeysError`] if no key can be made.
pub fn generate(ctx: &Context, algorithm: Algorithm, at_once: bool) -> Result<NewKey, KeysError> {
    let generation = ctx.keyring().keys().first().map_or(FIRST, |youngest| youngest.generation + 1);
    let wait = if at_once { Duration::ZERO } else { publication_lead(algorithm) };
    let private = SigningKey::generate(algorithm, ctx.random)?;
    Ok(NewKey {
        id: SigningKey::import(algorithm, &private)?.id,
        algorithm,
        signs_from: ctx.clock.now() + wait,
        generation,
        sealed: ctx.keys.seal(LABEL, &private),
        token_lifetime: token_lifetime(ctx),
    })
}

/// Deletes every key older than this one; returns how many.
pub async fn delete_older(transaction: &Transaction, key: &NewKey) -> Result<u64, DbError> {
    store::delete_before(transaction, key.generation).await
}

/// Returns how long before it signs a key has to be known.
#[must_use]
pub fn publication_lead(algorithm: Algorithm) -> Duration {
    match algorithm {
        Algorithm::Es256 | Algorithm::EdDsa => PUBLICATION_LEAD,
        Algorithm::Hs256 => HANDOVER_LEAD,
    }
}

/// Deletes expired keys; returns how many.
pub async fn sweep(transaction: &Transaction, now: OffsetDateTime) -> Result<u64, DbError> {
    store::delete_expired(transaction, SLACK, now).await
}

/// Reads the keys, and uses them if they have changed. The caller holds the lock of `keys_read_at`.
async fn read(ctx: &Context) -> Result<(), KeysError> {
    let mut rows = store::list(&ctx.db).await?;
    if rows.is_empty() {
        // Nodes that start at once agree on one: a generation is unique in the database.
        generate_first(ctx).await?;
        rows = store::list(&ctx.db).await?;
    }
    raise_token_lifetimes(ctx, &mut rows).await?;
    let ends = ends(&rows);
    let known = ctx.keyring();
    // Unsealing and importing keys costs more than this comparison, and nodes read every ten seconds.
    let known = known.keys().iter().map(|timed| (timed.key.id.as_str(), timed.refused_from));
    if known.eq(rows.iter().zip(&ends).map(|(row, ends)| (row.id.as_str(), ends.refused_from))) {
        return Ok(());
    }
    let mut keys = Vec::new();
    for (row, ends) in rows.iter().zip(ends) {
        keys.push(TimedKey {
            key: import(ctx, row)?,
            generation: row.generation,
            signs_from: row.signs_from,
            signs_until: ends.signs_until,
            refused_from: ends.refused_from,
        });
    }
    ctx.set_keyring(Keyring::new(keys));
    Ok(())
}

/// When a key stops signing, and when what it signed is refused; `None` for the youngest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    signs_until: Option<OffsetDateTime>,
    refused_from: Option<OffsetDateTime>,
}

/// Returns the ends of rows that are sorted by generation, the youngest first.
fn ends(rows: &[StoredKey]) -> Vec<Ends> {
    let mut overtaken_at: Option<OffsetDateTime> = None;
    let ends = rows.iter().map(|row| {
        let signs_until = overtaken_at;
        // The minimum: a key that is overtaken before its time never signs, and ends no other.
        overtaken_at = Some(signs_until.map_or(row.signs_from, |at| at.min(row.signs_from)));
        let refused_from = signs_until.map(|until| until + row.token_lifetime + SLACK);
        Ends { signs_until, refused_from }
    });
    ends.collect()
}

fn import(ctx: &Context, row: &StoredKey) -> Result<SigningKey, KeysError> {
    let algorithm: Algorithm = row.algorithm.parse()?;
    let private = ctx.keys.unseal(LABEL, &row.sealed)?;
    Ok(SigningKey::import(algorithm, &private)?)
}

async fn generate_first(ctx: &Context) -> Result<(), KeysError> {
    let algorithm = ctx.settings.signing_algorithm;
    let key = NewKey { generation: FIRST, ..generate(ctx, algorithm, true)? };
    let transaction = ctx.db.begin().await?;
    let is_ours = add(&transaction, &key, ctx.clock.now()).await?;
    transaction.commit().await?;
    if is_ours {
        tracing::info!(key.id = key.id, algorithm = algorithm.name(), "a signing key was made");
    }
    Ok(())
}

/// Extends the stored lifetimes of keys that may still sign, if the setting was raised.
async fn raise_token_lifetimes(ctx: &Context, rows: &mut [StoredKey]) -> Result<(), DbError> {
    let (now, lifetime) = (ctx.clock.now(), token_lifetime(ctx));
    let mut ids = Vec::new();
    for (ends, row) in ends(rows).iter().zip(rows.iter_mut()) {
        let may_sign = ends.signs_until.is_none_or(|until| until > now);
        // Never lowered: tokens with the longer lifetime are still in use.
        if may_sign && row.token_lifetime < lifetime {
            row.token_lifetime = lifetime;
            ids.push(row.id.clone());
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let transaction = ctx.db.begin().await?;
    store::raise_token_lifetime(&transaction, &ids, lifetime).await?;
    transaction.commit().await
}

/// Returns how long a token that is signed now is accepted at most.
fn token_lifetime(ctx: &Context) -> Duration {
    Duration::ZERO + ctx.settings.access_token_lifetime + ctx.settings.leeway
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn row(generation: i64, signs_from: OffsetDateTime) -> StoredKey {
        StoredKey {
            id: generation.to_string(),
            algorithm: "ES256".into(),
            generation,
            sealed: String::new(),
            signs_from,
            token_lifetime: Duration::minutes(5),
        }
    }

    #[test]
    fn a_key_is_accepted_until_the_last_token_that_it_can_have_signed_is_over() {
        let next = NOW + Duration::HOUR;

        let ends = ends(&[row(2, next), row(1, NOW)]);

        let over = next + Duration::minutes(6);
        assert_eq!(ends[0], Ends { signs_until: None, refused_from: None });
        assert_eq!(ends[1], Ends { signs_until: Some(next), refused_from: Some(over) });
    }

    #[test]
    fn a_key_that_is_overtaken_before_its_time_never_signs() {
        let waiting = row(2, NOW + Duration::DAY);

        let ends = ends(&[row(3, NOW), waiting, row(1, NOW - Duration::DAY)]);

        let over = NOW + Duration::minutes(6);
        assert_eq!(ends[1..], [Ends { signs_until: Some(NOW), refused_from: Some(over) }; 2]);
    }
}
