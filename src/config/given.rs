//! The settings as they were given: each value without its secrets, and where it came from.

use std::path::PathBuf;

use rocket::figment::value::Dict;
use rocket::figment::{self, Figment};

use super::SETTINGS;
use super::display::{scalar, shown};
use super::setting::{Secrecy, Setting};
use super::url_password::has_password;

/// Rocket's settings that are listed with ours.
const ROCKETS: [&str; 2] = ["address", "port"];

/// A setting as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenSetting {
    pub name: String,
    /// Its value, without secrets; `None` where it was not given.
    pub value: Option<String>,
    pub source: SettingSource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingSource {
    /// Nowhere.
    Default,
    /// In this file.
    File(String),
    /// In a `ROCKET_…` variable.
    Environment,
}

/// Lists every setting with its source.
pub(super) fn list(values: &Dict, figment: &Figment) -> Vec<GivenSetting> {
    let names = SETTINGS.iter().map(|setting| setting.name).chain(ROCKETS);
    let listed = names.map(|name| {
        let value = values.get(name).map(|value| shown(name, value));
        let metadata = figment.find_metadata(name).filter(|_| value.is_some());
        let source = metadata.map_or(SettingSource::Default, source_of);
        GivenSetting { name: name.to_owned(), value, source }
    });
    listed.collect()
}

fn source_of(metadata: &figment::Metadata) -> SettingSource {
    if let Some(figment::Source::File(path)) = &metadata.source {
        return SettingSource::File(path.display().to_string());
    }
    let is_environment = metadata.name.contains("environment");
    if is_environment { SettingSource::Environment } else { SettingSource::Default }
}

/// Returns the files that give a secret: a secret setting, or a URL with a password.
pub(super) fn secret_files(values: &Dict, figment: &Figment) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (name, value) in values {
        let has_secret = match Setting::find(name).map(|setting| setting.secrecy) {
            Some(Secrecy::Secret) => true,
            Some(Secrecy::Url) => scalar(value).is_some_and(|text| has_password(&text)),
            Some(Secrecy::None | Secrecy::Address) | None => false,
        };
        let source = figment.find_metadata(name).and_then(|metadata| metadata.source.as_ref());
        if let Some(figment::Source::File(path)) = source
            && has_secret
            && !files.contains(path)
        {
            files.push(path.clone());
        }
    }
    files
}
