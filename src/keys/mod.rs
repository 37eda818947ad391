//! The signing keys in the database: made once, sealed, shared by all nodes.

mod store;

use thiserror::Error;

use crate::crypto::{Algorithm, KeyError, Keyring, SigningKey, Unsealable};
use crate::ctx::Ctx;
use crate::db::DbError;

/// What sealed keys are labelled with.
const LABEL: &str = "signing key";

/// Why there are no signing keys.
#[derive(Debug, Error)]
pub enum KeysError {
    /// They were sealed under another master secret.
    #[error("the signing keys in the database were sealed under another secret_key")]
    Sealed(#[from] Unsealable),
    /// A row holds no key.
    #[error("a signing key in the database is damaged")]
    Damaged(#[from] KeyError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Loads the keys; the first one of the wanted algorithm is made if there is none. Nodes that start
/// at once agree, because a generation exists once only.
///
/// # Errors
/// [`KeysError`] when keys cannot be read or made.
pub async fn load(ctx: &Ctx) -> Result<(), KeysError> {
    let wanted = ctx.settings.signing_algorithm;
    if !store::list(&ctx.db).await?.iter().any(|row| row.algorithm == wanted.name()) {
        make_first(ctx, wanted).await?;
    }
    let mut keys = import_all(ctx).await?;
    // The newest key of the wanted algorithm signs; `list` gives the newest first.
    keys.sort_by_key(|key| key.algorithm != wanted);
    ctx.use_keyring(Keyring::new(keys));
    Ok(())
}

/// Looks whether the keys can be loaded; makes none.
///
/// # Errors
/// [`KeysError`] when they cannot.
pub async fn examine(ctx: &Ctx) -> Result<(), KeysError> {
    import_all(ctx).await.map(drop)
}

async fn import_all(ctx: &Ctx) -> Result<Vec<SigningKey>, KeysError> {
    let mut keys = Vec::new();
    for row in store::list(&ctx.db).await? {
        let algorithm: Algorithm = row.algorithm.parse()?;
        let private = ctx.keys.unseal(LABEL, &row.sealed)?;
        keys.push(SigningKey::import(algorithm, &private)?);
    }
    Ok(keys)
}

async fn make_first(ctx: &Ctx, algorithm: Algorithm) -> Result<(), KeysError> {
    let private = SigningKey::generate(algorithm, ctx.random)?;
    let id = SigningKey::import(algorithm, &private)?.id;
    let sealed = ctx.keys.seal(LABEL, &private);
    let transaction = ctx.db.begin().await?;
    let row = store::NewKey { id, algorithm, generation: 1, sealed };
    let is_ours = store::insert(&transaction, row, ctx.clock.now()).await?;
    transaction.commit().await?;
    if is_ours {
        tracing::info!(algorithm = algorithm.name(), "a signing key was made");
    }
    Ok(())
}
