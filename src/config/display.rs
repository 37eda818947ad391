//! Turns the values of a figment into text: to be parsed, or to be shown without their secrets.

use rocket::figment::value::Value;

use super::setting::{Secrecy, Setting};
use super::url_password::without_password;

/// Returns text, numbers and booleans as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        // Figment guesses the type of an environment variable: a password of digits comes as a
        // number.
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

/// Returns the value of a setting as it may be shown.
pub(super) fn shown(name: &str, value: &Value) -> String {
    match Setting::find(name).map_or(Secrecy::None, |setting| setting.secrecy) {
        Secrecy::Secret => "***".to_owned(),
        Secrecy::Address => scalar(value).map_or_else(|| plain(value), |text| on_one_line(&text)),
        Secrecy::None | Secrecy::Url => plain(value),
    }
}

/// Returns the value of an unknown setting as it may be shown.
pub(super) fn hint(value: &Value) -> String {
    let text = plain(value);
    // It could be a misspelt `secret_key`, so only short and simple values are shown.
    let is_simple = text.len() <= 16 && !text.contains("://");
    if is_simple { text } else { "…".into() }
}

/// Returns a value on one line, with the passwords of URLs removed.
pub(super) fn plain(value: &Value) -> String {
    match (scalar(value), value) {
        (Some(text), _) => on_one_line(&without_password(&text)),
        (None, Value::Array(_, items)) => {
            let items: Vec<_> = items.iter().map(plain).collect();
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
