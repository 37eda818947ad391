//! A new signing key takes the place of the old one: because somebody at the terminal wants it, because
//! the old one has signed for long enough, or because the settings name another algorithm.
//!
//! Nobody is logged out by it: what the old key signed is accepted until it is over, unless somebody
//! else may have the key.

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
    /// Whether it was made just now; otherwise it was waiting already.
    pub is_new: bool,
}

/// Where a new key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activation {
    /// It waits until whoever verifies can know it.
    Announced,
    /// It signs from now on; what older ones signed is accepted until it is over.
    AtOnce,
    /// It signs from now on, and the older ones are gone with all that they signed.
    ReplacingAll,
}

/// Has the next key made. Of many who want it at once, one makes it and the others are told of it.
///
/// # Errors
/// [`KeysError`] when keys cannot be read or made.
pub async fn rotate(ctx: &Context, info: &RequestInfo) -> Result<NextKey, KeysError> {
    loop {
        keys::load(ctx).await?;
        let ring = ctx.keyring();
        let youngest = ring.keys().first().expect("a ring that was loaded has a key");
        if youngest.state(ctx.clock.now()) == KeyState::Waiting {
            let (id, signs_from) = (youngest.key.id.clone(), youngest.signs_from);
            return Ok(NextKey { id, signs_from, is_new: false });
        }
        if let Some(next) =
            add_key(ctx, youngest.key.algorithm, Activation::Announced, info).await?
        {
            return Ok(next);
        }
    }
}

/// Puts a new key in the place of all others at once, because somebody else may have one of them: no
/// access token that any of them signed is accepted any more. Whoever is signed in stays so by the refresh
/// token, which is no business of these keys.
///
/// # Errors
/// [`KeysError`] when keys cannot be read or made.
pub async fn replace(ctx: &Context, info: &RequestInfo) -> Result<NextKey, KeysError> {
    loop {
        keys::load(ctx).await?;
        let ring = ctx.keyring();
        let youngest = ring.keys().first().expect("a ring that was loaded has a key");
        let algorithm = youngest.key.algorithm;
        if let Some(only) = add_key(ctx, algorithm, Activation::ReplacingAll, info).await? {
            return Ok(only);
        }
    }
}

/// Looks whether other nodes have made keys, and has the next one made when the youngest has signed for
/// long enough. A key that is handed over by hand is not replaced behind anybody's back.
///
/// # Errors
/// [`KeysError`] when keys cannot be read or made.
pub async fn rotate_if_due(ctx: &Context) -> Result<(), KeysError> {
    keys::load(ctx).await?;
    let ring = ctx.keyring();
    let youngest = ring.keys().first().expect("a ring that was loaded has a key");
    let algorithm = youngest.key.algorithm;
    let due_at =
        youngest.signs_from + ctx.settings.signing_key_lifetime - keys::publication_lead(algorithm);
    if algorithm != Algorithm::Hs256 && due_at <= ctx.clock.now() {
        rotate(ctx, &program()).await?;
    }
    Ok(())
}

/// Sees to it that keys are of the algorithm that the settings name. Whoever changes that setting tells
/// the services that verify, so the new key signs at once.
///
/// # Errors
/// [`KeysError`] when keys cannot be read or made.
pub async fn ensure_algorithm(ctx: &Context) -> Result<(), KeysError> {
    let wanted = ctx.settings.signing_algorithm;
    loop {
        let ring = ctx.keyring();
        if ring.keys().first().is_some_and(|youngest| youngest.key.algorithm == wanted) {
            return Ok(());
        }
        add_key(ctx, wanted, Activation::AtOnce, &program()).await?;
        keys::load(ctx).await?;
    }
}

/// Makes a key and puts it in the line; `None` when another node has put one there meanwhile.
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

/// The program itself.
fn program() -> RequestInfo {
    RequestInfo::from_terminal(String::new())
}
