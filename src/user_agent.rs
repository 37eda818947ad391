//! Parses a `User-Agent` into a browser and a system.
//!
//! A `User-Agent` is a claim and proves nothing; here it only helps users to recognise their own
//! devices. Every result is one of a fixed set of names, so no client can put a text of its own on
//! a page.

use woothee::parser::{Parser, WootheeResult};
use woothee::woothee::VALUE_UNKNOWN;

/// A browser and its system, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserAgent {
    /// The browser or app, such as `Firefox`.
    pub browser: Option<String>,
    /// The system, such as `Windows`.
    pub system: Option<String>,
}

/// Apps with a browser of their own, and programs. Their `User-Agent` looks like the browser that
/// they are built on, with their own mark somewhere in it. The first match counts: apps come before
/// the browsers that they embed.
const APPS: [(&str, &str); 23] = [
    ("KAKAOTALK", "KakaoTalk"),
    ("NAVER(inapp", "NAVER"),
    ("DaumApps/", "Daum"),
    ("Instagram ", "Instagram"),
    ("FBAN/", "Facebook"),
    ("FB_IAB/", "Facebook"),
    (" Line/", "LINE"),
    ("musical_ly_", "TikTok"),
    ("everytimeApp", "Everytime"),
    ("GSA/", "Google app"),
    ("Whale/", "Whale"),
    ("MiuiBrowser/", "Mi Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("okhttp/", "OkHttp"),
    ("Dart/", "Dart"),
    ("python-requests/", "Python Requests"),
    ("python-httpx/", "HTTPX"),
    ("PostmanRuntime/", "Postman"),
    ("Go-http-client/", "Go"),
    ("axios/", "axios"),
];

/// Parses a `User-Agent`.
#[must_use]
pub fn parse(user_agent: &str) -> UserAgent {
    let parsed = Parser::new().parse(user_agent).unwrap_or_default();
    let app = APPS.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    UserAgent {
        browser: app.or_else(|| browser(&parsed)).map(str::to_owned),
        system: system(&parsed).map(str::to_owned),
    }
}

/// Returns the browser by its usual name.
fn browser<'a>(parsed: &WootheeResult<'a>) -> Option<&'a str> {
    match parsed.name {
        // A window in an unknown app.
        "" | VALUE_UNKNOWN | "Webview" => None,
        // These are categories, not names.
        _ if parsed.category == "misc" => None,
        name if parsed.category == "crawler" && name.starts_with("misc") => None,
        "SamsungBrowser" => Some("Samsung Internet"),
        "IEMobile" => Some("Internet Explorer"),
        name => Some(name),
    }
}

/// Returns the family of the system.
fn system<'a>(parsed: &WootheeResult<'a>) -> Option<&'a str> {
    match parsed.os {
        "" | VALUE_UNKNOWN => None,
        "Mac OSX" | "Mac OS Classic" => Some("macOS"),
        "Windows Phone OS" => Some("Windows Phone"),
        // Without the version, which browsers froze: `Windows NT 10.0` also on what came after it.
        name if name.starts_with("Windows") => Some("Windows"),
        "ChromeOS" => Some("Chrome OS"),
        name => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the result as `browser / system`, with `-` for unknown.
    fn formatted(user_agent: &str) -> String {
        let UserAgent { browser, system } = parse(user_agent);
        let word = |word: Option<String>| word.unwrap_or("-".into());
        format!("{} / {}", word(browser), word(system))
    }

    const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
    const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)";
    const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K)";
    const WEBVIEW: &str = "Mozilla/5.0 (Linux; Android 14; SM-S918N Build/UP1A.231005.007; wv)";
    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1_1 like Mac OS X)";
    const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X)";
    const BLINK: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
    const WEBKIT: &str = "AppleWebKit/605.1.15 (KHTML, like Gecko)";

    #[test]
    fn desktop_browsers_are_known() {
        for (user_agent, expected) in [
            (format!("{WINDOWS} {BLINK} Chrome/131.0.0.0 Safari/537.36"), "Chrome / Windows"),
            (
                format!("{WINDOWS} {BLINK} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.86"),
                "Edge / Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"
                    .into(),
                "Firefox / Windows",
            ),
            (
                format!("{WINDOWS} {BLINK} Chrome/128.0.0.0 Whale/4.29.282.14 Safari/537.36"),
                "Whale / Windows",
            ),
            (
                format!("{WINDOWS} {BLINK} Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0"),
                "Opera / Windows",
            ),
            (
                format!("{WINDOWS} {BLINK} Chrome/131.0.0.0 Safari/537.36 Vivaldi/7.0.3495.18"),
                "Vivaldi / Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko".into(),
                "Internet Explorer / Windows",
            ),
            (format!("{MAC} {WEBKIT} Version/18.1 Safari/605.1.15"), "Safari / macOS"),
            (format!("{MAC} {BLINK} Chrome/131.0.0.0 Safari/537.36"), "Chrome / macOS"),
            (format!("{MAC} {BLINK} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0"), "Edge / macOS"),
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
                    .into(),
                "Firefox / Linux",
            ),
            (
                format!("Mozilla/5.0 (X11; Linux x86_64) {BLINK} Chrome/131.0.0.0 Safari/537.36"),
                "Chrome / Linux",
            ),
            (
                format!(
                    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK} Chrome/131.0.0.0 \
                     Safari/537.36"
                ),
                "Chrome / Chrome OS",
            ),
        ] {
            assert_eq!(formatted(&user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn browsers_of_phones_and_tablets_are_known() {
        for (user_agent, expected) in [
            (
                format!("{ANDROID} {BLINK} Chrome/131.0.0.0 Mobile Safari/537.36"),
                "Chrome / Android",
            ),
            (
                format!(
                    "{ANDROID} {BLINK} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36"
                ),
                "Samsung Internet / Android",
            ),
            (
                format!("{ANDROID} {BLINK} Chrome/131.0.0.0 Mobile Safari/537.36 EdgA/131.0.0.0"),
                "Edge / Android",
            ),
            (
                format!("{ANDROID} {BLINK} Chrome/130.0.0.0 Mobile Safari/537.36 OPR/86.0.0.0"),
                "Opera / Android",
            ),
            (
                "Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0".into(),
                "Firefox / Android",
            ),
            (
                format!(
                    "{ANDROID} {BLINK} Chrome/122.0.0.0 Whale/1.0.0.0 Crosswalk/29.122.0.1 \
                     Mobile Safari/537.36"
                ),
                "Whale / Android",
            ),
            (
                format!("{IPHONE} {WEBKIT} Version/18.1.1 Mobile/15E148 Safari/604.1"),
                "Safari / iPhone",
            ),
            (
                format!("{IPHONE} {WEBKIT} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1"),
                "Chrome / iPhone",
            ),
            (
                format!("{IPHONE} {WEBKIT} FxiOS/133.0 Mobile/15E148 Safari/605.1.15"),
                "Firefox / iPhone",
            ),
            (
                format!(
                    "{IPHONE} {WEBKIT} Version/17.0 EdgiOS/131.0.2903.68 Mobile/15E148 \
                     Safari/605.1.15"
                ),
                "Edge / iPhone",
            ),
            (format!("{IPAD} {WEBKIT} Version/17.7 Mobile/15E148 Safari/604.1"), "Safari / iPad"),
            (
                format!("{IPAD} {WEBKIT} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1"),
                "Chrome / iPad",
            ),
        ] {
            assert_eq!(formatted(&user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn apps_are_known_by_their_own_names() {
        let chrome = "Version/4.0 Chrome/131.0.6778.39 Mobile Safari/537.36";
        for (user_agent, expected) in [
            (format!("{WEBVIEW} {BLINK} {chrome};KAKAOTALK 2511060"), "KakaoTalk / Android"),
            (format!("{IPHONE} {WEBKIT} Mobile/15E148 KAKAOTALK 11.2.5"), "KakaoTalk / iPhone"),
            (
                format!(
                    "{WEBVIEW} {BLINK} {chrome} Whale/1.0.0.0 NAVER(inapp; search; 2000; 12.10.3)"
                ),
                "NAVER / Android",
            ),
            (
                format!(
                    "{IPHONE} {WEBKIT} Version/17.6.1 Mobile/15E148 Safari/604.1 \
                     NAVER(inapp; search; 2000; 12.10.1; 15PRO)"
                ),
                "NAVER / iPhone",
            ),
            (
                format!("{IPHONE} {WEBKIT} Mobile/15E148 Instagram 358.0.0.34.103 (iPhone15,3)"),
                "Instagram / iPhone",
            ),
            (
                format!("{IPHONE} {WEBKIT} Mobile/15E148 [FBAN/FBIOS;FBAV/487.0.0.31.108]"),
                "Facebook / iPhone",
            ),
            (format!("{WEBVIEW} {BLINK} {chrome} Line/14.19.1/IAB"), "LINE / Android"),
            (format!("{WEBVIEW} {BLINK} {chrome}"), "- / Android"),
            ("MyApp/1.0 CFNetwork/1568.200.51 Darwin/24.1.0".into(), "- / iOS"),
            ("curl/8.5.0".into(), "curl / -"),
            ("okhttp/4.12.0".into(), "OkHttp / -"),
            ("Dart/3.5 (dart:io)".into(), "Dart / -"),
            ("python-requests/2.32.3".into(), "Python Requests / -"),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)".into(),
                "Googlebot / -",
            ),
            ("Java/21.0.1".into(), "- / -"),
        ] {
            assert_eq!(formatted(&user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn nonsense_says_nothing() {
        for text in
            ["", " ", "-", "test", "daemun", "Mozilla/5.0", "가나다", "<script>alert(1)</script>"]
        {
            assert_eq!(formatted(text), "- / -", "{text:?}");
        }
    }

    #[test]
    fn any_text_can_be_read() {
        let pieces = [
            "Mozilla/5.0 (",
            "Windows ",
            "NT ",
            "Android ",
            "iPhone; ",
            "like Mac OS X",
            "Chrome/",
            "Safari/",
            "Version/",
            "KDDI-",
            "DoCoMo/",
            "BB10",
            "((((",
            "\u{0}",
            "\u{fffd}",
            "가",
            "%",
            ";;;;",
        ];
        for piece in pieces {
            for other in pieces {
                let text: String = [piece, other].concat().chars().cycle().take(300).collect();
                let UserAgent { browser, system } = parse(&text);
                for word in [browser, system].into_iter().flatten() {
                    assert!(word.len() < 30, "a word of the table, not of the text: {word}");
                }
            }
        }
    }
}
