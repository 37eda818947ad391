//! Reads the settings for a command, and says what is wrong with them.

use rocket::figment::Figment;

use super::CommandError;
use crate::config;
use crate::config::{SettingError, SettingProblem, Settings};
use crate::i18n::Language;

/// Returns the settings and the figment that they came from.
pub(super) fn read(language: Language) -> Result<(Settings, Figment), CommandError> {
    let figment = config::figment();
    match Settings::from_figment(&figment) {
        Ok(settings) => Ok((settings, figment)),
        Err(wrong) => {
            Err(CommandError(wrong.iter().map(|error| sentence(language, error)).collect()))
        }
    }
}

/// Returns one line: the setting's name, its value, and what is allowed.
fn sentence(language: Language, error: &SettingError) -> String {
    let value = language.tell("setting.wrong", &[("name", &error.name), ("value", &error.value)]);
    let what = match &error.what {
        SettingProblem::Unknown(None) => language.say("setting.unknown").into_owned(),
        SettingProblem::Unknown(Some(near)) => {
            language.tell("setting.unknown_near", &[("near", near)])
        }
        SettingProblem::NotAllowed(key, None) => language.say(key).into_owned(),
        SettingProblem::NotAllowed(key, Some((low, high))) => {
            language.tell(key, &[("low", &low.to_string()), ("high", &high.to_string())])
        }
        SettingProblem::Rocket(what) => what.clone(),
    };
    format!("{value}: {what}")
}
