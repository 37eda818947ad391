//! Saying what the checkup found.

use rocket::figment::Figment;

use super::{Failed, say};
use crate::clock::Clock;
use crate::config::Settings;
use crate::flows::checkup::{self, Finding};
use crate::i18n::Language;

/// Examines the settings and what they name; fails if anything has to be mended.
pub(super) async fn check(
    language: Language,
    settings: &Settings,
    figment: &Figment,
) -> Result<(), Failed> {
    let listens_on = rocket::Config::try_from(figment).map(|config| config.address);
    let listens_on = listens_on.map_err(|error| Failed::line(error.to_string()))?;
    let found = checkup::examine(settings, listens_on, Clock::of_the_machine()).await;
    let (bad, good): (Vec<_>, Vec<_>) = found.iter().partition(|finding| finding.is_bad());
    for finding in good {
        say(&sentence(language, finding));
    }
    if bad.is_empty() {
        say(&language.say("check.good"));
        return Ok(());
    }
    Err(Failed(bad.into_iter().map(|finding| sentence(language, finding)).collect()))
}

fn sentence(language: Language, finding: &Finding) -> String {
    let t = |key| language.say(key).into_owned();
    let with = |key, name, value: &str| language.tell(key, &[(name, value)]);
    match finding {
        Finding::PlainHttp => t("check.plain_http"),
        Finding::LocalLinks => t("check.local_links"),
        Finding::ProxyNotTrusted => t("check.proxy_not_trusted"),
        Finding::EverybodyTrusted => t("check.everybody_trusted"),
        Finding::CheapHash(cost) => with("check.cheap_hash", "cost", &cost.to_string()),
        Finding::SecretReadable(path) => {
            with("check.secret_readable", "path", &path.display().to_string())
        }
        Finding::SecretMissing(path) => {
            with("check.secret_missing", "path", &path.display().to_string())
        }
        Finding::TablesOutdated => t("check.tables_outdated"),
        Finding::NoDatabase { url, why } => {
            language.tell("cli.no_database", &[("url", url), ("why", why)])
        }
        Finding::CannotOpen(why) => with("cli.cannot_open", "why", why),
        Finding::KeysSealed => t("check.keys_sealed"),
        Finding::NotThereYet(path) => {
            with("check.not_there_yet", "path", &path.display().to_string())
        }
        Finding::NoSuperuser => t("check.no_superuser"),
    }
}
