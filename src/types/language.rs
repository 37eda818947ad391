//! The supported languages, and how a user's language is recognised.

use serde::{Deserialize, Serialize};

/// A language that Daemun supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// 한국어
    Korean,
    /// English
    English,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Korean, Self::English];

    /// Returns the tag in `<html lang>` and in the cookie (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
        }
    }

    /// Parses exactly what [`tag`](Self::tag) returns.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// Returns the best language for an `Accept-Language` (RFC 9110, 12.5.4): the first supported one
    /// of the highest quality.
    #[must_use]
    pub fn from_accepted(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        // Bounded, because a client can send a header of many kilobytes.
        for part in header.split(',').take(32) {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
            let Some(language) = Self::from_locale(tag.trim()) else { continue };
            let quality =
                parameters.trim().strip_prefix("q=").map_or(1.0, |q| q.parse().unwrap_or(0.0));
            // `q=0` means "not acceptable", so it never beats the 0 at the start.
            if quality > best.map_or(0.0, |(quality, _)| quality) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// Parses `ko-KR` or `ko_KR.UTF-8`.
    #[must_use]
    pub fn from_locale(locale: &str) -> Option<Self> {
        let primary = locale.split(['-', '_', '.']).next().unwrap_or_default();
        Self::from_tag(&primary.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_language_wins() {
        let korean = Some(Language::Korean);
        let english = Some(Language::English);
        for (header, language) in [
            ("ko-KR,ko;q=0.9,en-US;q=0.8", korean),
            ("en-US,en;q=0.9,ko;q=0.8", english),
            ("de, ko;q=0.3, en;q=0.5", english),
            ("KO", korean),
            ("en;q=0, ko;q=0.1", korean),
            ("fr, de", None),
            ("", None),
            ("ko;q=x", None),
            (";;,,=q", None),
        ] {
            assert_eq!(Language::from_accepted(header), language, "{header:?}");
        }
    }

    #[test]
    fn a_terminal_says_its_language_in_its_locale() {
        assert_eq!(Language::from_locale("ko_KR.UTF-8"), Some(Language::Korean));
        assert_eq!(Language::from_locale("C.UTF-8"), None);
    }
}
