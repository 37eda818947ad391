//! Replacing the signing key: on command, when it has signed for long enough, or when the settings
//! name another algorithm.
//!
//! No user is logged out: tokens signed by the old key are accepted until they expire, unless the
//! key may have leaked.

use serde_json::json;
use time::OffsetDateTime;

use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::crypto::{Algorithm, KeyState};
use crate::keys;
use crate::keys::KeysError;
use crate::types::RequestInfo;

/// The key that comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextKey {
    /// Its name.
    pub id: String,
    /// When it begins to sign.
    pub signs_from: OffsetDateTime,
    /// Whether it was created just now; otherwise it was waiting already.
    pub is_new: bool,
}

/// When a new key begins to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activation {
    /// After services that verify have had time to learn it.
    Announced,
    /// It signs from now on; what older ones signed is accepted until it is over.
    AtOnce,
    /// It signs from now on, and the older ones are gone with all that they signed.
    ReplacingAll,
}

/// Creates the next key. Of simultaneous requests, one creates it and the others return it.
pub async fn rotate(ctx: &Context, info: &RequestInfo) -> Result<NextKey, KeysError> {
    loop {
        keys::load(ctx).await?;
        let ring = ctx.keyring();
        let youngest = ring.keys().first().expect("a ring that was loaded has a key");
        if youngest.state(ctx.clock.now()) == KeyState::Waiting {
            let (id, signs_from) = (youngest.key.id.clone(), youngest.signs_from);
            return Ok(NextKey { id, signs_from, is_new: false });
        }
        // Another node may have created this generation; then the loop finds its key.
        if let Some(next) =
            add_key(ctx, youngest.key.algorithm, Activation::Announced, info).await?
        {
            return Ok(next);
        }
    }
}

/// Replaces all keys by a new one at once, because one may have leaked: no access token that they
/// signed is accepted any more.
pub async fn replace(ctx: &Context, info: &RequestInfo) -> Result<NextKey, KeysError> {
    loop {
        keys::load(ctx).await?;
        let ring = ctx.keyring();
        let youngest = ring.keys().first().expect("a ring that was loaded has a key");
        // Sessions stay alive: refresh tokens have a key of their own.
        let algorithm = youngest.key.algorithm;
        if let Some(only) = add_key(ctx, algorithm, Activation::ReplacingAll, info).await? {
            return Ok(only);
        }
    }
}

/// Loads keys that other nodes have created, and creates the next one when the youngest has signed
/// for long enough.
pub async fn rotate_if_due(ctx: &Context) -> Result<(), KeysError> {
    keys::load(ctx).await?;
    let ring = ctx.keyring();
    let youngest = ring.keys().first().expect("a ring that was loaded has a key");
    let algorithm = youngest.key.algorithm;
    // Created early enough to be published before it signs.
    let due_at =
        youngest.signs_from + ctx.settings.signing_key_lifetime - keys::publication_lead(algorithm);
    // A shared key is handed to other services by hand, so it is not replaced by age.
    if algorithm != Algorithm::Hs256 && due_at <= ctx.clock.now() {
        rotate(ctx, &program()).await?;
    }
    Ok(())
}

/// Creates a key of the algorithm in the settings, if the youngest has another.
pub async fn ensure_algorithm(ctx: &Context) -> Result<(), KeysError> {
    let wanted = ctx.settings.signing_algorithm;
    loop {
        let ring = ctx.keyring();
        if ring.keys().first().is_some_and(|youngest| youngest.key.algorithm == wanted) {
            return Ok(());
        }
        // It signs at once: services that verify have to know of such a change anyway, and a
        // setting that takes effect ten minutes later looks broken.
        add_key(ctx, wanted, Activation::AtOnce, &program()).await?;
        keys::load(ctx).await?;
    }
}

/// Creates a key as the next generation; returns `None` when another node has created it meanwhile.
async fn add_key(
    ctx: &Context,
    algorithm: Algorithm,
    activation: Activation,
    info: &RequestInfo,
) -> Result<Option<NextKey>, KeysError> {
    let key = keys::generate(ctx, algorithm, activation != Activation::Announced)?;
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if !keys::add(&transaction, &key, now).await? {
        return Ok(None);
    }
    let gone = match activation {
        Activation::ReplacingAll => keys::delete_older(&transaction, &key).await?,
        Activation::Announced | Activation::AtOnce => 0,
    };
    let facts = json!({
        "key": key.id, "algorithm": algorithm.name(), "signs_at": key.signs_from.unix_timestamp(),
        "keys_gone": gone,
    });
    let event = AuditEvent::on_site(AuditEventKind::KeyRotated, info).with_details(facts);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    tracing::info!(key.id = key.id, algorithm = algorithm.name(), "the next signing key was made");
    keys::load(ctx).await?;
    Ok(Some(NextKey { id: key.id, signs_from: key.signs_from, is_new: true }))
}

/// Returns the request info of the program itself.
fn program() -> RequestInfo {
    RequestInfo::from_terminal(String::new())
}
