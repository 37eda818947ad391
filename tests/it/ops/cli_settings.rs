//! Wrong settings are named in one line, in both languages, before anything starts.

use crate::ops::cli::{in_both_languages, is_korean};
use crate::support::process::Sandbox;

/// What the program says about a setting, in both languages; it does nothing else.
fn refuses(name: &str, value: &str, shown: &str, allowed: [&str; 2]) {
    in_both_languages(|sandbox, korean| {
        for command in ["serve", "check", "migrate"] {
            let said = sandbox.with(name, value).runs(&[command]);

            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            let line = said.error_line();
            let allowed = allowed[usize::from(korean)];
            assert!(line.contains(shown), "{shown} in {line}");
            assert!(line.contains(allowed), "{allowed} in {line}");
            assert_eq!(is_korean(line), korean, "{line}");
            assert!(!sandbox.path("data").exists(), "nothing is made");
        }
    });
}

#[test]
fn an_invalid_duration_is_refused() {
    refuses(
        "ROCKET_ACCESS_TOKEN_LIFETIME",
        "soon",
        "access_token_lifetime = soon",
        ["90s, 5m, 12h or 14d, from 1 to 86400 seconds", "90s, 5m, 12h, 14d"],
    );
}

#[test]
fn a_public_url_without_a_scheme_is_refused() {
    refuses(
        "ROCKET_PUBLIC_URL",
        "example.com",
        "public_url = example.com",
        ["an origin without a path", "경로가 없는 주소"],
    );
}

#[test]
fn http_on_the_internet_is_refused() {
    refuses(
        "ROCKET_PUBLIC_URL",
        "http://gate.example",
        "public_url = http://gate.example",
        ["allow_http = true", "allow_http = true"],
    );
}

#[test]
fn a_misspelt_setting_is_refused_with_a_suggestion() {
    refuses("ROCKET_PUBLC_URL", "x", "publc_url = x", ["did you mean public_url?", "public_url이"]);
}

#[test]
fn an_unknown_verification_mode_is_refused() {
    refuses(
        "ROCKET_EMAIL_VERIFICATION",
        "sometimes",
        "email_verification = sometimes",
        ["none, optional", "none, optional"],
    );
}

#[test]
fn a_short_secret_is_refused_and_not_repeated() {
    refuses("ROCKET_SECRET_KEY", "short", "secret_key = ***", ["256 bits", "256비트"]);
    for secret in ["short-and-secret", "271828182845", "[\"a-secret-list\"]", "{secret=1}"] {
        for command in ["serve", "check"] {
            let said = Sandbox::new().with("ROCKET_SECRET_KEY", secret).runs(&[command]);

            assert_eq!(said.code(), Some(1), "{said:#?}");
            for part in ["secret-list", "and-secret", "2718281828", "secret=1"] {
                assert!(!said.error_line().contains(part), "{said:#?}");
            }
        }
    }
}

#[test]
fn an_unsupported_database_is_refused_without_its_password() {
    refuses(
        "ROCKET_DATABASE_URL",
        "mysql://ada:sesame@db/x",
        "database_url = mysql://ada:***@db/x",
        ["postgres://user:password@host/database", "postgres://"],
    );
    for url in ["mysql://ada:sesame@db/x", "postgres//ada:sesame@db/x", "postgres://a:sesame@:x/"] {
        let said = Sandbox::new().with("ROCKET_DATABASE_URL", url).runs(&["check"]);
        assert!(!said.error_line().contains("sesame"), "{said:#?}");
    }
}

#[test]
fn an_invalid_port_is_refused() {
    let allowed = ["u16", "u16"];
    refuses("ROCKET_PORT", "abc", "port = abc", allowed);
    refuses("ROCKET_PORT", "70000", "port = 70000", allowed);
}

#[test]
fn an_invalid_address_is_refused() {
    refuses("ROCKET_ADDRESS", "everywhere", "address = everywhere", ["IP address", "IP address"]);
}

#[test]
fn invalid_rocket_settings_do_not_panic() {
    for (name, value) in [
        ("ROCKET_WORKERS", "many"),
        ("ROCKET_MAX_BLOCKING", "none"),
        ("ROCKET_SHUTDOWN", "{force=3}"),
        ("ROCKET_KEEP_ALIVE", "always"),
        ("ROCKET_LIMITS", "5"),
    ] {
        for command in ["serve", "check", "migrate"] {
            let said = Sandbox::new().with(name, value).runs(&[command]);

            let setting = name.trim_start_matches("ROCKET_").to_lowercase();
            assert_eq!(said.code(), Some(1), "{said:#?}");
            assert!(said.error_line().contains(&setting), "{said:#?}");
        }
    }
}

#[test]
fn one_error_is_reported_once() {
    refuses(
        "ROCKET_LOG_LEVEL",
        "loud",
        "log_level = loud",
        ["off, critical, normal or debug", "off, critical, normal, debug"],
    );
    refuses("ROCKET_SIGNUP", "op\nen", "signup = ", ["open or closed", "open 또는 closed"]);
}

#[test]
fn all_errors_are_reported_at_once() {
    let sandbox = Sandbox::new().with("ROCKET_SIGNUP", "maybe").with("ROCKET_LEEWAY", "1h");

    let said = sandbox.with("ROCKET_SINGUP", "open").runs(&["serve"]);

    let lines = said.error_lines();
    assert_eq!((said.code(), lines.len()), (Some(1), 3), "{said:#?}");
    for name in ["signup = maybe", "leeway = 1h", "singup = open"] {
        assert!(lines.iter().any(|line| line.contains(name)), "{name} in {lines:?}");
    }
}

#[test]
fn an_unreadable_settings_file_is_one_line_without_secrets() {
    for (text, place) in [
        ("[default\n", "line 1"),
        ("[default]\nport = 1\nport = 2\n", "line 3"),
        ("[default]\nsecret_key = \"sesame\n", "line 2"),
        ("port = 8000\n", "line 1"),
    ] {
        in_both_languages(|sandbox, korean| {
            sandbox.write("Rocket.toml", text);
            for command in ["serve", "check", "migrate"] {
                let said = sandbox.runs(&[command]);

                assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
                let line = said.error_line();
                assert!(line.contains("Rocket.toml"), "{line}");
                assert!(line.contains(place), "{place}: {line}");
                assert!(!line.contains("sesame"), "{line}");
                assert_eq!(is_korean(line), korean, "{line}");
            }
        });
    }
}

#[test]
fn settings_in_the_file_are_checked_like_the_environment() {
    let sandbox = Sandbox::new();
    sandbox.write("Rocket.toml", "[default]\nsignup = \"maybe\"\n");

    let said = sandbox.runs(&["serve"]);

    assert_eq!(said.code(), Some(1));
    assert!(said.error_line().contains("signup = maybe"), "{said:#?}");
    let overridden = sandbox.with("ROCKET_SIGNUP", "open").runs(&["migrate"]);
    assert_eq!(overridden.code(), Some(0), "the environment wins: {overridden:#?}");
}
