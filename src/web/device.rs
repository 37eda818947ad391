//! Names a device for lists of sessions and events.

use crate::i18n::Language;
use crate::user_agent;
use crate::user_agent::UserAgent;

/// Returns a name for the device with this `User-Agent`, such as `Firefox on Windows`.
pub(crate) fn label(user_agent: &str, language: Language) -> String {
    match user_agent::parse(user_agent) {
        UserAgent { browser: Some(browser), system: Some(system) } => {
            language.tell("device.browser_on_system", &[("browser", &browser), ("system", &system)])
        }
        UserAgent { browser: Some(one), .. } | UserAgent { system: Some(one), .. } => one,
        UserAgent { browser: None, system: None } => language.say("device.unknown").into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_what_is_known_of_it() {
        let firefox = "Mozilla/5.0 (Windows NT 10.0; rv:133.0) Gecko/20100101 Firefox/133.0";
        for (user_agent, english, korean) in [
            (firefox, "Firefox on Windows", "Windows의 Firefox"),
            ("curl/8.5.0", "curl", "curl"),
            ("MyApp/1.0 CFNetwork/1568.200.51 Darwin/24.1.0", "iOS", "iOS"),
            ("", "Unknown device", "알 수 없는 기기"),
        ] {
            assert_eq!(label(user_agent, Language::English), english);
            assert_eq!(label(user_agent, Language::Korean), korean);
        }
    }
}
