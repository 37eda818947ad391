//! Reads settings from a figment one by one, as their entries in the table say, and collects all
//! problems.
//!
//! Knows no setting by itself: `table` lists them, and `Settings` says what they are for.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use rocket::figment::value::{Dict, Value};
use rocket::figment::{self, Figment};

use super::display::{hint, scalar, shown};
use super::setting::{Accepts, DefaultValue, Setting};
use super::{GivenSetting, SETTINGS, SettingError, SettingProblem, duration, given};
use crate::crypto::SecretKey;
use crate::oauth::{ClientRegistration, RegistrationInput};

/// Top-level names that are not ours: `ROCKET_CONFIG`, the settings of Rocket's companion crates,
/// and `app`, the table for an application that mounts Daemun.
const OTHER_NAMES: &[&str] = &["app", "config", "databases", "proxy_proto_header", "template_dir"];

pub(super) struct Reader {
    values: Dict,
    port: u16,
    wrong: Vec<SettingError>,
}

impl Reader {
    pub(super) fn new(figment: &Figment) -> Self {
        let mut wrong = Vec::new();
        let values: Dict = figment.extract().unwrap_or_else(|error| {
            wrong.extend(error.into_iter().map(|error| from_rocket(&error, &Dict::new())));
            Dict::new()
        });
        let port = match rocket::Config::try_from(figment) {
            Ok(config) => config.port,
            // Reading goes on with defaults, so that all problems are reported at once.
            Err(error) => {
                wrong.extend(error.into_iter().map(|error| from_rocket(&error, &values)));
                rocket::Config::default().port
            }
        };
        // A file that cannot be read fails both times.
        wrong.dedup();
        wrong.extend(values.iter().filter(|(name, _)| !is_known(name)).map(|(name, value)| {
            let what = SettingProblem::Unknown(nearest(name).map(str::to_owned));
            SettingError { name: name.clone(), value: hint(value), what }
        }));
        Self { values, port, wrong }
    }

    /// Lists every setting as it was given, without secrets.
    pub(super) fn given(&self, figment: &Figment) -> Vec<GivenSetting> {
        given::list(&self.values, figment)
    }

    /// Returns the files that give a secret.
    pub(super) fn secret_files(&self, figment: &Figment) -> Vec<PathBuf> {
        given::secret_files(&self.values, figment)
    }

    pub(super) fn finish(self) -> Result<(), Vec<SettingError>> {
        if self.wrong.is_empty() { Ok(()) } else { Err(self.wrong) }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Refuses a well-formed value because of what it means.
    pub(super) fn refuse(&mut self, name: &str, allowed: &'static str) {
        self.push(name, SettingProblem::NotAllowed(allowed, None));
    }

    /// Reads a setting whose type parses it.
    pub(super) fn parsed<T: FromStr>(&mut self, name: &'static str) -> T {
        self.parsed_or(name, || default_text(name).parse().ok())
    }

    /// Reads a setting whose default is not in the table, because it depends on another one.
    pub(super) fn parsed_or<T: FromStr>(
        &mut self,
        name: &'static str,
        default: impl FnOnce() -> Option<T>,
    ) -> T {
        self.read(name, |text| text.parse().ok(), default)
    }

    pub(super) fn text(&mut self, name: &'static str) -> String {
        self.text_or(name, default_text(name))
    }

    pub(super) fn text_or(&mut self, name: &'static str, default: &str) -> String {
        let is_some = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        self.read(name, is_some, || Some(default.to_owned()))
    }

    pub(super) fn claim_name(&mut self, name: &'static str) -> String {
        // Claims that tokens have already, and `nbf`, which verifiers read.
        const TAKEN: [&str; 9] =
            ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "nbf", "token_type"];
        let is_name = |text: &str| {
            let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            is_plain && !text.is_empty() && !TAKEN.contains(&text)
        };
        let parse = |text: &str| is_name(text).then(|| text.to_owned());
        self.read(name, parse, || Some(default_text(name).to_owned()))
    }

    pub(super) fn number(&mut self, name: &'static str) -> u8 {
        let parse =
            |text: &str| text.parse().ok().filter(|number| is_within(name, u64::from(*number)));
        self.read(name, parse, || default_text(name).parse().ok())
    }

    pub(super) fn duration(&mut self, name: &'static str) -> Duration {
        let parse = |text: &str| duration::parse(text).filter(|it| is_within(name, it.as_secs()));
        self.read(name, parse, || duration::parse(default_text(name)))
    }

    /// Reads a list: an array, or one text with commas, as in an environment variable.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let items = self.items(name);
        let parsed = items.and_then(|items| items.iter().map(|item| parse(item)).collect());
        parsed.unwrap_or_else(|| {
            self.refuse_value(name);
            Vec::new()
        })
    }

    pub(super) fn secret_key(&mut self) -> Option<SecretKey> {
        let value = self.values.get("secret_key")?;
        let key = scalar(value).and_then(|text| SecretKey::parse(&text).ok());
        if key.is_none() {
            self.refuse_value("secret_key");
        }
        key
    }

    /// Reads the providers of social log-in, as the admin page would accept them, each with a slug
    /// of its own.
    pub(super) fn social(&mut self) -> Vec<ClientRegistration> {
        let Some(value) = self.values.get("social") else { return Vec::new() };
        let inputs: Option<Vec<RegistrationInput>> = value.deserialize().ok();
        let parsed = inputs.and_then(|inputs| {
            inputs
                .iter()
                .map(|input| ClientRegistration::parse(input).ok())
                .collect::<Option<Vec<_>>>()
        });
        let has_own_slugs = |all: &Vec<ClientRegistration>| {
            let is_first = |(index, it): (usize, &ClientRegistration)| {
                all.iter().position(|other| other.slug == it.slug) == Some(index)
            };
            all.iter().enumerate().all(is_first)
        };
        parsed.filter(has_own_slugs).unwrap_or_else(|| {
            self.refuse_value("social");
            Vec::new()
        })
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        default: impl FnOnce() -> Option<T>,
    ) -> T {
        let given = self.values.get(name).map(|value| scalar(value).and_then(|text| parse(&text)));
        if let Some(Some(value)) = given {
            return value;
        }
        if given.is_some() {
            self.refuse_value(name);
        }
        // Also for a wrong value, so that reading goes on; `finish` refuses the settings then.
        default().expect("a default is a value of its setting")
    }

    fn items(&self, name: &str) -> Option<Vec<String>> {
        match self.values.get(name) {
            None => Some(Vec::new()),
            Some(Value::Array(_, items)) => items.iter().map(scalar).collect(),
            Some(value) => {
                let text = scalar(value)?;
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(items.map(str::to_owned).collect())
            }
        }
    }

    /// Refuses a value; the table says what is accepted.
    fn refuse_value(&mut self, name: &'static str) {
        let problem = match entry(name).accepts {
            Accepts::Sentence(key) => SettingProblem::NotAllowed(key, None),
            Accepts::Number { min, max } => {
                SettingProblem::NotAllowed("setting.number", Some((min, max)))
            }
            Accepts::Seconds { min, max } => {
                SettingProblem::NotAllowed("setting.duration", Some((min, max)))
            }
        };
        self.push(name, problem);
    }

    /// Adds a problem, one per setting.
    fn push(&mut self, name: &str, what: SettingProblem) {
        // The first of ours, or else Rocket's.
        let is_rockets = |error: &SettingError| matches!(error.what, SettingProblem::Rocket(_));
        self.wrong.retain(|error| error.name != name || !is_rockets(error));
        if self.wrong.iter().any(|error| error.name == name) {
            return;
        }
        let value = self.values.get(name).map(|value| shown(name, value)).unwrap_or_default();
        self.wrong.push(SettingError { name: name.to_owned(), value, what });
    }
}

fn entry(name: &'static str) -> &'static Setting {
    Setting::find(name).expect("every setting that is read is in the table")
}

fn default_text(name: &'static str) -> &'static str {
    match entry(name).default {
        DefaultValue::Text(text) => text,
        DefaultValue::PublicUrl(_) | DefaultValue::Nothing(_) => "",
    }
}

fn is_within(name: &'static str, value: u64) -> bool {
    match entry(name).accepts {
        Accepts::Number { min, max } | Accepts::Seconds { min, max } => {
            (min..=max).contains(&value)
        }
        Accepts::Sentence(_) => true,
    }
}

fn is_known(name: &str) -> bool {
    Setting::find(name).is_some()
        || OTHER_NAMES.contains(&name)
        || rocket::Config::PARAMETERS.contains(&name)
}

/// Returns the setting that was most likely meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    SETTINGS
        .iter()
        .map(|known| (strsim::levenshtein(name, known.name), known.name))
        .min()
        // At most a third of the name may differ; a wilder guess would mislead.
        .filter(|(distance, known)| *distance * 3 <= known.len())
        .map(|(_, known)| known)
}

/// Returns Rocket's message about one of its own settings, or about a file that it cannot read, on
/// one line.
fn from_rocket(error: &figment::Error, values: &Dict) -> SettingError {
    let name = if error.path.is_empty() { "Rocket.toml".into() } else { error.path.join(".") };
    let value = values.get(&name).map(|value| shown(&name, value)).unwrap_or_default();
    // The TOML parser quotes the file, secrets included, in the lines with a bar.
    let what = error.kind.to_string();
    let what = what.lines().map(str::trim).filter(|line| !line.contains('|'));
    let what = what.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
    SettingError { name, value, what: SettingProblem::Rocket(what) }
}

/// Reads `10.0.0.0/8`, or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}
