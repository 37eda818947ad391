//! `daemun keys`: rotates, replaces, lists and exports the signing keys.

use clap::ArgMatches;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{CommandError, logging, print_line, serve};
use crate::config::Settings;
use crate::context::Context;
use crate::crypto::{KeyState, TimedKey};
use crate::flows;
use crate::flows::system::key_rotation::NextKey;
use crate::i18n::Language;
use crate::keys::KeysError;
use crate::types::RequestInfo;

/// Runs the subcommand, which clap requires.
pub(super) async fn run(
    language: Language,
    settings: Settings,
    given: &ArgMatches,
) -> Result<(), CommandError> {
    logging::start(&settings);
    let ctx = serve::open(language, settings).await?;
    let done = match given.subcommand_name() {
        Some("rotate") => rotate(language, &ctx).await,
        Some("replace") => replace(language, &ctx).await,
        Some("show") => show(language, &ctx),
        _ => {
            list(language, &ctx);
            Ok(())
        }
    };
    ctx.db.close().await;
    done
}

async fn rotate(language: Language, ctx: &Context) -> Result<(), CommandError> {
    let info = RequestInfo::from_terminal(ctx.random.request_id());
    match flows::system::key_rotation::rotate(ctx, &info).await {
        Ok(NextKey { id, signs_from, is_new }) => {
            let key = if is_new { "cli.key_created" } else { "cli.key_waits" };
            print_line(
                &language.tell(key, &[("key", &id), ("since", &format_instant(signs_from))]),
            );
            Ok(())
        }
        Err(error) => Err(keys_error(language, &error)),
    }
}

async fn replace(language: Language, ctx: &Context) -> Result<(), CommandError> {
    let info = RequestInfo::from_terminal(ctx.random.request_id());
    match flows::system::key_rotation::replace(ctx, &info).await {
        Ok(only) => {
            print_line(&language.tell("cli.keys_replaced", &[("key", &only.id)]));
            Ok(())
        }
        Err(error) => Err(keys_error(language, &error)),
    }
}

fn keys_error(language: Language, error: &KeysError) -> CommandError {
    CommandError::line(language.tell("cli.cannot_start", &[("why", &error.to_string())]))
}

/// Prints one line per key, the newest first.
fn list(language: Language, ctx: &Context) {
    let now = ctx.clock.now();
    for timed in ctx.keyring().keys() {
        print_line(&line(language, timed, now));
    }
}

fn line(language: Language, timed: &TimedKey, now: OffsetDateTime) -> String {
    let sentence = match (timed.state(now), timed.signs_until) {
        (KeyState::Waiting, _) => "cli.key_is_waiting",
        (KeyState::Signing, None) => "cli.key_is_signing",
        (KeyState::Signing, Some(_)) => "cli.key_is_signing_until",
        (KeyState::Retired, _) => "cli.key_is_retired",
        (KeyState::Refused, _) => "cli.key_is_refused",
    };
    let known = |at: Option<OffsetDateTime>| at.map(format_instant).unwrap_or_default();
    let values = [
        ("since", &*format_instant(timed.signs_from)),
        ("until", &*known(timed.signs_until)),
        ("over", &*known(timed.refused_from)),
    ];
    let (id, algorithm) = (&timed.key.id, timed.key.algorithm.name());
    format!("{id}  {algorithm}  {}", language.tell(sentence, &values))
}

/// Prints the secret keys that other verifiers need, as a JSON Web Key Set.
fn show(language: Language, ctx: &Context) -> Result<(), CommandError> {
    // ES256 and EdDSA have no secret to share: their public keys are published.
    let Some(shared) = ctx.keyring().shared(ctx.clock.now()) else {
        let url = ctx.settings.public_url.as_str();
        return Err(CommandError::line(language.tell("cli.no_shared_keys", &[("url", url)])));
    };
    print_line(shared.expose());
    Ok(())
}

fn format_instant(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC"))
        .expect("an instant has these parts")
}
