//! The command `check`.

use crate::ops::cli::{ENGLISH, KOREAN};
use crate::support::GOOD;
use crate::support::process::Sandbox;

#[test]
fn a_fresh_folder_passes_with_a_note() {
    for (language, note, good) in [
        (ENGLISH, "Note: data/daemun.db doesn't exist yet", "No problems found."),
        (KOREAN, "참고: data/daemun.db", "문제가 없습니다."),
    ] {
        let sandbox = Sandbox::new().with("LANG", language);

        let said = sandbox.runs(&["check"]);

        assert_eq!((said.code(), said.errors.as_str()), (Some(0), ""), "{said:#?}");
        assert!(said.output.contains(note) && said.output.contains(good), "{said:#?}");
        assert!(!sandbox.path("data").exists(), "looking makes nothing");
    }
}

#[test]
fn a_site_without_a_superuser_passes_with_a_note() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0));

    let said = sandbox.runs(&["check"]);

    assert_eq!((said.code(), said.errors.as_str()), (Some(0), ""), "{said:#?}");
    assert!(said.output.contains("Note: there is no superuser yet"), "{said:#?}");
    let made = sandbox.runs_with(&["createsuperuser", "--email", "root@example.com"], GOOD);
    assert_eq!(made.code(), Some(0), "{made:#?}");
    assert!(!sandbox.runs(&["check"]).output.contains("Note"));
}

#[test]
fn unsafe_settings_fail() {
    let secret = "0123456789abcdef".repeat(4);
    for (settings, english, korean) in [
        (&[("PASSWORD_HASH", "m=8,t=1,p=1")][..], "m=8,t=1,p=1, which is weaker", "m=8,t=1,p=1"),
        (
            &[("PUBLIC_URL", "http://gate.example"), ("ALLOW_HTTP", "true")],
            "public_url is http",
            "public_url이 http입니다",
        ),
        (&[("ADDRESS", "0.0.0.0")], "leads to this machine only", "이 컴퓨터만 가리킵니다"),
        (&[("PUBLIC_URL", "https://gate.example")], "Set trusted_proxies", "trusted_proxies에"),
        (
            &[("PUBLIC_URL", "https://gate.example"), ("TRUSTED_PROXIES", "0.0.0.0/0")],
            "trusted_proxies contains every address",
            "trusted_proxies에 모든 주소",
        ),
    ] {
        for (language, sentence) in [(ENGLISH, english), (KOREAN, korean)] {
            let sandbox = Sandbox::new().with("LANG", language).with("ROCKET_SECRET_KEY", &secret);
            let sandbox = settings.iter().fold(sandbox, |sandbox, (name, value)| {
                sandbox.with(&format!("ROCKET_{name}"), value)
            });

            let said = sandbox.runs(&["check"]);

            assert_eq!(said.code(), Some(1), "{said:#?}");
            assert!(said.error_line().contains(sentence), "{sentence} in {said:#?}");
            assert!(!said.output.contains(&secret) && !said.errors.contains(&secret), "{said:#?}");
        }
    }
}

#[test]
fn a_trusted_proxy_passes() {
    let sandbox = Sandbox::new()
        .with("ROCKET_PUBLIC_URL", "https://gate.example")
        .with("ROCKET_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]");

    assert_eq!(sandbox.runs(&["check"]).code(), Some(0));
}

#[test]
fn a_world_readable_secret_fails() {
    use std::os::unix::fs::PermissionsExt as _;
    for (language, sentence) in [(ENGLISH, "chmod 600 data/secret_key"), (KOREAN, "chmod 600")] {
        let sandbox = Sandbox::new().with("LANG", language);
        assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0));
        let file = sandbox.path("data/secret_key");
        let secret = std::fs::read_to_string(&file).expect("generated");
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&file, readable).expect("it is ours");

        let said = sandbox.runs(&["check"]);

        assert_eq!(said.code(), Some(1), "{said:#?}");
        assert!(said.error_line().contains(sentence), "{said:#?}");
        assert!(!said.output.contains(secret.trim()) && !said.errors.contains(secret.trim()));
    }
}

/// Gives a file to every user of the machine.
fn gives_away(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(file, readable).expect("it is ours");
}

#[test]
fn nothing_starts_with_a_world_readable_secret_key() {
    use std::os::unix::fs::PermissionsExt as _;
    for (language, sentence) in [(ENGLISH, "can be read by other users"), (KOREAN, "chmod 600")] {
        let sandbox = Sandbox::new().with_cheap_hashing().with("LANG", language);
        assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0));
        let file = sandbox.path("data/secret_key");
        gives_away(&file);
        for command in [&["migrate"][..], &["keys", "list"]] {
            let said = sandbox.runs(command);
            assert_eq!(said.code(), Some(1), "{said:#?}");
            assert!(said.error_line().contains(sentence), "{said:#?}");
            assert!(said.error_line().contains("chmod 600 data/secret_key"), "{said:#?}");
        }
        let said = sandbox.starts_serving().wait_until_ready().err().expect("it does not start");
        assert!(said.error_line().contains(sentence), "{said:#?}");
        for mode in [0o600, 0o640, 0o400] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, mode).expect("it is ours");
            assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0));
        }
    }
}

#[test]
fn nothing_starts_with_a_world_readable_settings_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let secret = "0123456789abcdef".repeat(4);
    for (setting, is_secret) in [
        (format!("secret_key = \"{secret}\""), true),
        ("mail_url = \"smtps://ada:sesame@relay.example\"".into(), true),
        ("signup = \"closed\"".into(), false),
    ] {
        let sandbox = Sandbox::new().with_cheap_hashing();
        sandbox.write("Rocket.toml", format!("[default]\n{setting}\n"));
        let file = sandbox.path("Rocket.toml");
        gives_away(&file);

        let said = sandbox.runs(&["migrate"]);

        assert_eq!(said.code(), Some(i32::from(is_secret)), "{setting}: {said:#?}");
        if is_secret {
            assert!(said.error_line().contains("Rocket.toml can be read by"), "{said:#?}");
            assert!(!said.errors.contains(&secret) && !said.errors.contains("sesame"));
            assert!(!sandbox.path("data").exists(), "before anything else is done");
            let check = sandbox.runs(&["check"]);
            assert!(check.errors.contains("Rocket.toml can be read by"), "{check:#?}");
        }
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, private).expect("it is ours");
        assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0), "{setting}");
    }
}

#[test]
fn another_secret_key_fails_and_does_not_serve() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0));
    let sandbox = sandbox.with("ROCKET_SECRET_KEY", "0123456789abcdef".repeat(4));

    let check = sandbox.runs(&["check"]);
    let serve = sandbox.runs(&["serve"]);

    assert_eq!((check.code(), serve.code()), (Some(1), Some(1)));
    assert!(check.error_line().contains("secret_key"), "{check:#?}");
    assert!(serve.error_line().contains("secret_key"), "{serve:#?}");
}
