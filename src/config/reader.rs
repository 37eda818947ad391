//! Takes settings out of a figment one by one and remembers everything that is wrong with them.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use rocket::figment::value::{Dict, Value};
use rocket::figment::{self, Figment};
use thiserror::Error;

use super::values::{has_password, without_password};
use crate::crypto::SecretKey;
use crate::oauth::{ClientRegistration, RegistrationInput};

/// Every setting of Daemun; Rocket's own come on top.
const NAMES: &[&str] = &[
    "access_token_lifetime",
    "allow_http",
    "allow_local_email",
    "audience",
    "custom_claims",
    "data_dir",
    "database_url",
    "delete_unverified_after",
    "email_verification",
    "hsts_include_subdomains",
    "issuer",
    "leeway",
    "log_format",
    "mail_from",
    "mail_url",
    "password_hash",
    "password_min_length",
    "public_url",
    "refresh_token_lifetime",
    "rotate_refresh_tokens",
    "secret_key",
    "session_cache",
    "session_idle_lifetime",
    "signing_algorithm",
    "signing_key_lifetime",
    "signup",
    "social",
    "trusted_proxies",
    "unix_socket",
    "user_id_claim",
];

/// Top-level names that are not ours: Rocket's settings, `ROCKET_CONFIG`, the settings of Rocket's
/// companion crates, and `app`, the table for an application that mounts Daemun.
const OTHER_NAMES: &[&str] = &["app", "config", "databases", "proxy_proto_header", "template_dir"];

/// Settings whose value is a secret and is never repeated.
const SECRET: &[&str] = &["secret_key", "social"];

/// Settings that hold no password however they are written, although there is an `@` in them.
const OPEN: &[&str] = &["mail_from"];

/// Settings whose URL may hold a password.
const URLS: &[&str] = &["database_url", "mail_url"];

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name} = {value}: {what}")]
pub struct SettingError {
    /// The setting's name.
    pub name: String,
    /// Its value, secrets left out.
    pub value: String,
    /// What is wrong with it.
    pub what: SettingProblem,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingProblem {
    /// There is no such setting; the nearest that there is, if any is near.
    Unknown(Option<String>),
    /// The value is not allowed; the sentence (an i18n key) says what is, with its bounds if any.
    NotAllowed(&'static str, Option<(u64, u64)>),
    /// One of Rocket's settings; what Rocket says.
    Rocket(String),
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str("unknown setting"),
            Self::NotAllowed(what, None) => f.write_str(what),
            Self::NotAllowed(what, Some((low, high))) => write!(f, "{what} ({low} to {high})"),
            Self::Rocket(what) => f.write_str(what),
        }
    }
}

/// A setting as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenSetting {
    /// Its name.
    pub name: String,
    /// Its value, secrets left out; `None` where it was not given.
    pub value: Option<String>,
    /// Where it was given.
    pub source: SettingSource,
}

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingSource {
    /// Nowhere.
    Default,
    /// In this file.
    File(String),
    /// In a `ROCKET_…` variable.
    Environment,
}

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
            Err(error) => {
                wrong.extend(error.into_iter().map(|error| from_rocket(&error, &values)));
                rocket::Config::default().port
            }
        };
        wrong.dedup();
        wrong.extend(values.iter().filter(|(name, _)| !is_known(name)).map(|(name, value)| {
            let near = nearest(name).map(str::to_owned);
            SettingError {
                name: name.clone(),
                value: short_hint(value),
                what: SettingProblem::Unknown(near),
            }
        }));
        Self { values, port, wrong }
    }

    /// Every setting as it was given, secrets left out.
    pub(super) fn listed(&self, figment: &Figment) -> Vec<GivenSetting> {
        let listed = NAMES.iter().chain(&["log_level", "address", "port"]).map(|name| {
            let value = self.values.get(*name).map(|value| match value {
                _ if SECRET.contains(name) => "***".to_owned(),
                value if OPEN.contains(name) => {
                    scalar(value).map_or_else(|| show(value), |text| on_one_line(&text))
                }
                value => show(value),
            });
            let source = figment.find_metadata(name).filter(|_| value.is_some());
            let source = source.map_or(SettingSource::Default, |metadata| match &metadata.source {
                Some(figment::Source::File(path)) => {
                    SettingSource::File(path.display().to_string())
                }
                _ if metadata.name.contains("environment") => SettingSource::Environment,
                _ => SettingSource::Default,
            });
            GivenSetting { name: (*name).to_owned(), value, source }
        });
        listed.collect()
    }

    /// Files that give a secret. A password in a URL is one, and so is a secret inside of a table.
    pub(super) fn secret_files(&self, figment: &Figment) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for (name, value) in &self.values {
            let hides = SECRET.contains(&name.as_str())
                || (URLS.contains(&name.as_str())
                    && scalar(value).is_some_and(|text| has_password(&text)));
            let source = figment.find_metadata(name).and_then(|metadata| metadata.source.as_ref());
            if let Some(figment::Source::File(path)) = source
                && hides
                && !files.contains(path)
            {
                files.push(path.clone());
            }
        }
        files
    }

    pub(super) fn finish(self) -> Result<(), Vec<SettingError>> {
        if self.wrong.is_empty() { Ok(()) } else { Err(self.wrong) }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Marks a setting as wrong for what it means rather than for how it is written.
    pub(super) fn refuse(&mut self, name: &str, allowed: &'static str) {
        self.push(name, SettingProblem::NotAllowed(allowed, None));
    }

    pub(super) fn parsed<T: FromStr>(
        &mut self,
        name: &str,
        allowed: &'static str,
        default: impl FnOnce() -> T,
    ) -> T {
        let Some(value) = self.values.get(name) else { return default() };
        match scalar(value).and_then(|text| text.parse().ok()) {
            Some(value) => value,
            None => {
                self.refuse(name, allowed);
                default()
            }
        }
    }

    pub(super) fn text(&mut self, name: &str, default: &str) -> String {
        match self.values.get(name).map(scalar) {
            None => default.to_owned(),
            Some(Some(text)) if !text.trim().is_empty() => text,
            Some(_) => {
                self.refuse(name, "setting.text");
                default.to_owned()
            }
        }
    }

    pub(super) fn claim_name(&mut self, name: &str, default: &str) -> String {
        const TAKEN: [&str; 9] =
            ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "nbf", "token_type"];
        let text = self.text(name, default);
        let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name || TAKEN.contains(&text.as_str()) {
            self.refuse(name, "setting.claim_name");
        }
        text
    }

    pub(super) fn number(&mut self, name: &str, default: u8, range: RangeInclusive<u8>) -> u8 {
        let bounds = (u64::from(*range.start()), u64::from(*range.end()));
        let Some(value) = self.values.get(name) else { return default };
        match scalar(value).and_then(|text| text.parse().ok()).filter(|n| range.contains(n)) {
            Some(number) => number,
            None => {
                self.push(name, SettingProblem::NotAllowed("setting.number", Some(bounds)));
                default
            }
        }
    }

    pub(super) fn duration(
        &mut self,
        name: &str,
        default: &str,
        seconds: RangeInclusive<u64>,
    ) -> Duration {
        let default = duration(default).expect("defaults are durations");
        let Some(value) = self.values.get(name) else { return default };
        match scalar(value).as_deref().and_then(duration).filter(|d| seconds.contains(&d.as_secs()))
        {
            Some(duration) => duration,
            None => {
                let bounds = (*seconds.start(), *seconds.end());
                self.push(name, SettingProblem::NotAllowed("setting.duration", Some(bounds)));
                default
            }
        }
    }

    pub(super) fn list<T>(
        &mut self,
        name: &str,
        allowed: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let items = self.items(name);
        let parsed = items.and_then(|items| items.iter().map(|item| parse(item)).collect());
        parsed.unwrap_or_else(|| {
            self.refuse(name, allowed);
            Vec::new()
        })
    }

    pub(super) fn secret_key(&mut self) -> Option<SecretKey> {
        let value = self.values.get("secret_key")?;
        let key = scalar(value).and_then(|text| SecretKey::parse(&text).ok());
        if key.is_none() {
            self.refuse("secret_key", "setting.secret_key");
        }
        key
    }

    /// Providers of social log-in, each as the admin page would take it, under a name of its own.
    pub(super) fn social(&mut self) -> Vec<ClientRegistration> {
        let Some(value) = self.values.get("social") else { return Vec::new() };
        let inputs: Option<Vec<RegistrationInput>> = value.deserialize().ok();
        let parsed = inputs.and_then(|inputs| {
            inputs
                .iter()
                .map(|input| ClientRegistration::parse(input).ok())
                .collect::<Option<Vec<_>>>()
        });
        let is_named_once = |all: &Vec<ClientRegistration>| {
            let is_first = |(place, it): (usize, &ClientRegistration)| {
                all.iter().position(|other| other.slug == it.slug) == Some(place)
            };
            all.iter().enumerate().all(is_first)
        };
        parsed.filter(is_named_once).unwrap_or_else(|| {
            self.refuse("social", "setting.social");
            Vec::new()
        })
    }

    /// The texts of a list: an array, or one text with commas (handy in an environment variable).
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

    /// One complaint per setting: the first of ours, or else Rocket's.
    fn push(&mut self, name: &str, what: SettingProblem) {
        let is_rockets = |error: &SettingError| matches!(error.what, SettingProblem::Rocket(_));
        self.wrong.retain(|error| error.name != name || !is_rockets(error));
        if self.wrong.iter().any(|error| error.name == name) {
            return;
        }
        let value = match self.values.get(name) {
            Some(_) if SECRET.contains(&name) => "***".to_owned(),
            Some(value) if OPEN.contains(&name) => {
                scalar(value).map_or_else(|| show(value), |text| on_one_line(&text))
            }
            Some(value) => show(value),
            None => String::new(),
        };
        self.wrong.push(SettingError { name: name.to_owned(), value, what });
    }
}

fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
        || OTHER_NAMES.contains(&name)
        || rocket::Config::PARAMETERS.contains(&name)
}

/// The known name that a person most likely meant: one that shares most of its letters.
fn nearest(name: &str) -> Option<&'static str> {
    NAMES
        .iter()
        .map(|known| (strsim::levenshtein(name, known), *known))
        .min()
        .filter(|(distance, known)| *distance * 3 <= known.len())
        .map(|(_, known)| known)
}

/// What Rocket says of one of its own settings, or of a file that it cannot read, on one line.
fn from_rocket(error: &rocket::figment::Error, values: &Dict) -> SettingError {
    let name = if error.path.is_empty() { "Rocket.toml".into() } else { error.path.join(".") };
    let value = values.get(&name).map(show).unwrap_or_default();
    // The lines with a bar quote the file, secrets and all.
    let what = error.kind.to_string();
    let what = what.lines().map(str::trim).filter(|line| !line.contains('|'));
    let what = what.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ");
    SettingError { name, value, what: SettingProblem::Rocket(what) }
}

/// Text, numbers and truth values as text: the environment cannot tell them apart.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Num(_, num) => num
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| num.to_u128().map(|n| n.to_string()))
            .or_else(|| num.to_f64().map(|n| n.to_string())),
        Value::Bool(_, bool) => Some(bool.to_string()),
        Value::Char(_, char) => Some(char.to_string()),
        _ => None,
    }
}

fn show(value: &Value) -> String {
    match (scalar(value), value) {
        (Some(text), _) => on_one_line(&without_password(&text)),
        (None, Value::Array(_, items)) => {
            let items: Vec<_> = items.iter().map(show).collect();
            format!("[{}]", items.join(", "))
        }
        (None, _) => "{…}".into(),
    }
}

fn on_one_line(text: &str) -> String {
    let escaped = |char: char| {
        if char.is_control() { char.escape_default().to_string() } else { char.to_string() }
    };
    text.chars().map(escaped).collect()
}

/// Nobody knows what an unknown setting holds, a misspelt `secret_key` for one: only short and
/// plain values are repeated.
fn short_hint(value: &Value) -> String {
    let text = show(value);
    let is_plain = text.len() <= 16 && !text.contains("://");
    if is_plain { text } else { "…".into() }
}

/// Units of durations in seconds, the longest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// `90s`, `5m`, `12h`, `14d`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| digits.parse::<u64>().ok())??;
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// A duration as it may be given, in the longest unit that it is whole in.
pub(super) fn as_given(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let is_whole = |length: u64| seconds >= length && seconds.is_multiple_of(length);
    let unit = UNITS.into_iter().find(|(_, length)| is_whole(*length));
    let (unit, length) = unit.unwrap_or(('s', 1));
    format!("{}{unit}", seconds / length)
}

/// `10.0.0.0/8`, or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::super::{CustomClaim, Settings};
    use super::*;

    fn wrong(name: &'static str, value: impl serde::Serialize) -> String {
        let figment = rocket::Config::figment().merge((name, value));
        let errors = Settings::from_figment(&figment).expect_err("refused");
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_settings_file_with_a_secret_is_known() {
        for (text, is_secret) in [
            (
                "secret_key = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
                true,
            ),
            ("database_url = \"postgres://ada:sesame@db/x\"", true),
            ("database_url = \"postgres://db/x?password=sesame\"", true),
            ("mail_url = \"smtp://ada:sesame@relay.example\"", true),
            ("database_url = \"postgres://ada@db/x\"", false),
            ("mail_url = \"smtp://relay.example?tls=none\"", false),
            ("mail_from = \"Daemun <no-reply@example.com>\"", false),
            ("port = 8000", false),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("Rocket.toml");
            std::fs::write(&file, format!("[default]\n{text}\n")).expect("written");
            let toml = <figment::providers::Toml as figment::providers::Format>::file(&file);
            let figment = rocket::Config::figment().merge(toml.nested());

            let settings = Settings::from_figment(&figment).expect(text);

            assert_eq!(!settings.secret_files.is_empty(), is_secret, "{text}");
            assert!(settings.secret_files.iter().all(|path| path.ends_with("Rocket.toml")));
        }
    }

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Some(Duration::from_mins(5)));
        assert_eq!(duration("12h"), Some(Duration::from_hours(12)));
        assert_eq!(duration("14d"), Some(Duration::from_hours(336)));
        for text in
            ["", "5", "m", "5 m", "-5m", "+5m", "5µ", "1.5h", "99999999999999999999d", "5min"]
        {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_value_and_what_is_allowed() {
        assert_eq!(
            wrong("access_token_lifetime", "soon"),
            "access_token_lifetime = soon: setting.duration (1 to 86400)"
        );
        assert_eq!(
            wrong("password_min_length", 7),
            "password_min_length = 7: setting.number (8 to 64)"
        );
        assert_eq!(wrong("signup", true), "signup = true: setting.signup");
        assert_eq!(
            wrong("trusted_proxies", ["10.0.0.0/33"]),
            "trusted_proxies = [10.0.0.0/33]: setting.networks"
        );
        assert_eq!(wrong("leeway", "6s"), "leeway = 6s: setting.duration (0 to 5)");
        assert_eq!(wrong("user_id_claim", "sub"), "user_id_claim = sub: setting.claim_name");
        assert_eq!(
            wrong("custom_claims", ["email", "password"]),
            "custom_claims = [email, password]: setting.custom_claims"
        );
        assert_eq!(
            wrong("signing_key_lifetime", "23h"),
            "signing_key_lifetime = 23h: setting.duration (86400 to 315360000)"
        );
        assert_eq!(
            wrong("signing_algorithm", "none"),
            "signing_algorithm = none: setting.algorithm"
        );
    }

    #[test]
    fn a_wrong_secret_is_not_repeated() {
        assert_eq!(wrong("secret_key", "hunter2"), "secret_key = ***: setting.secret_key");
        assert_eq!(
            wrong("database_url", "mysql://ada:sesame@db/x"),
            "database_url = mysql://ada:***@db/x: setting.database_url"
        );
        assert_eq!(
            wrong("mail_url", "smtp://ada:sesame@relay.example?tls=none"),
            "mail_url = smtp://ada:***@relay.example?***: setting.mail_url_exposed"
        );
        assert_eq!(
            wrong("mail_from", "Daemun at no-reply@example.com"),
            "mail_from = Daemun at no-reply@example.com: setting.mail_from"
        );
        assert_eq!(
            wrong("sekret_key", "c2VjcmV0c2VjcmV0c2VjcmV0"),
            "sekret_key = …: unknown setting"
        );
    }

    #[test]
    fn an_unknown_setting_is_refused_and_the_nearest_known_one_named() {
        let figment = rocket::Config::figment().merge(("publc_url", "x"));

        let errors = Settings::from_figment(&figment).expect_err("refused");

        assert_eq!(errors[0].what, SettingProblem::Unknown(Some("public_url".into())));
        assert_eq!(nearest("completely_different"), None);
    }

    #[test]
    fn nobody_is_deleted_for_the_want_of_a_proof_that_is_not_asked_for() {
        let settings = |verification: &str, after: &str| {
            let figment = rocket::Config::figment()
                .merge(("email_verification", verification))
                .merge(("delete_unverified_after", after));
            Settings::from_figment(&figment)
        };

        assert!(settings("none", "30d").is_err());
        assert!(settings("none", "0s").is_ok() && settings("optional", "30d").is_ok());
    }

    #[test]
    fn a_site_on_the_internet_is_https_unless_somebody_insists() {
        let figment = rocket::Config::figment().merge(("public_url", "http://gate.example"));
        assert!(Settings::from_figment(&figment).is_err());

        assert!(Settings::from_figment(&figment.merge(("allow_http", true))).is_ok());
    }

    #[test]
    fn what_is_not_set_has_the_documented_default() {
        let settings = Settings::from_figment(&rocket::Config::figment()).expect("defaults");

        assert_eq!(settings.public_url.as_str(), "http://localhost:8000");
        assert_eq!(settings.issuer, "http://localhost:8000");
        assert_eq!(settings.access_token_lifetime, Duration::from_mins(5));
        assert_eq!(settings.database_url.to_string(), "sqlite://data/daemun.db");
    }

    #[test]
    fn no_two_claims_have_one_name() {
        let figment = rocket::Config::figment().merge(("custom_claims", "email, is_staff"));
        let settings = Settings::from_figment(&figment).expect("claims");
        assert_eq!(settings.custom_claims, [CustomClaim::Email, CustomClaim::IsStaff]);

        assert!(Settings::from_figment(&figment.merge(("user_id_claim", "email"))).is_err());
    }

    #[test]
    fn a_list_in_the_environment_may_be_one_text() {
        let figment = rocket::Config::figment().merge(("trusted_proxies", "127.0.0.1, 10.0.0.0/8"));

        let settings = Settings::from_figment(&figment).expect("a list");

        assert_eq!(settings.trusted_proxies.len(), 2);
    }
}
