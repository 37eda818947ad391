//! Reading settings: what is accepted, refused and shown.

use std::time::Duration;

use rocket::figment;

use super::reader::nearest;
use super::{CustomClaim, SettingProblem, Settings};

fn wrong(name: &'static str, value: impl serde::Serialize) -> String {
    let figment = rocket::Config::figment().merge((name, value));
    let errors = Settings::from_figment(&figment).expect_err("refused");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_settings_file_with_a_secret_is_known() {
    for (text, is_secret) in [
        ("secret_key = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"", true),
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
    assert_eq!(wrong("signing_algorithm", "none"), "signing_algorithm = none: setting.algorithm");
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
    assert_eq!(wrong("sekret_key", "c2VjcmV0c2VjcmV0c2VjcmV0"), "sekret_key = …: unknown setting");
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
