//! The signing keys, for whoever runs the machine: having the next one made, throwing away those that
//! somebody else may have, seeing them all, and handing over those that are not published.

use clap::ArgMatches;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Failed, logging, say, serve};
use crate::config::Settings;
use crate::context::Ctx;
use crate::crypto::{KeyState, TimedKey};
use crate::flows;
use crate::flows::system::key_rotation::Next;
use crate::i18n::Language;
use crate::keys::KeysError;
use crate::types::Caller;

/// Does what was asked with the keys; clap requires that something was.
pub(super) async fn obey(
    language: Language,
    settings: Settings,
    given: &ArgMatches,
) -> Result<(), Failed> {
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

async fn rotate(language: Language, ctx: &Ctx) -> Result<(), Failed> {
    let caller = Caller::at_the_terminal(ctx.random.request_id());
    match flows::system::key_rotation::rotate(ctx, &caller).await {
        Ok(Next { id, signs_from, is_new }) => {
            let key = if is_new { "cli.key_created" } else { "cli.key_waits" };
            say(&language.tell(key, &[("key", &id), ("since", &instant(signs_from))]));
            Ok(())
        }
        Err(error) => Err(cannot(language, &error)),
    }
}

async fn replace(language: Language, ctx: &Ctx) -> Result<(), Failed> {
    let caller = Caller::at_the_terminal(ctx.random.request_id());
    match flows::system::key_rotation::replace(ctx, &caller).await {
        Ok(only) => {
            say(&language.tell("cli.keys_replaced", &[("key", &only.id)]));
            Ok(())
        }
        Err(error) => Err(cannot(language, &error)),
    }
}

fn cannot(language: Language, error: &KeysError) -> Failed {
    Failed::line(language.tell("cli.cannot_start", &[("why", &error.to_string())]))
}

/// One line a key, the youngest first.
fn list(language: Language, ctx: &Ctx) {
    let now = ctx.clock.now();
    for timed in ctx.keyring().keys() {
        say(&line(language, timed, now));
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
    let known = |at: Option<OffsetDateTime>| at.map(instant).unwrap_or_default();
    let values = [
        ("since", &*instant(timed.signs_from)),
        ("until", &*known(timed.signs_until)),
        ("over", &*known(timed.refused_from)),
    ];
    let (id, algorithm) = (&timed.key.id, timed.key.algorithm.name());
    format!("{id}  {algorithm}  {}", language.tell(sentence, &values))
}

/// The keys that whoever verifies has to share, as a JSON Web Key Set.
fn show(language: Language, ctx: &Ctx) -> Result<(), Failed> {
    let Some(shared) = ctx.keyring().shared(ctx.clock.now()) else {
        let url = ctx.settings.public_url.as_str();
        return Err(Failed::line(language.tell("cli.no_shared_keys", &[("url", url)])));
    };
    say(shared.expose());
    Ok(())
}

fn instant(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC"))
        .expect("an instant has these parts")
}
