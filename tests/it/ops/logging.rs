//! What the log of a server holds, and what it never holds.

use crate::ops::cli::link;
use crate::support::GOOD;
use crate::support::process::{CommandOutput, Sandbox};

/// Users sign up, log in and leave; returns the log of all that, and what must not be in it.
fn log_of_a_day(sandbox: &Sandbox) -> (CommandOutput, Vec<String>) {
    let server = sandbox.serves();
    let mut secrets = vec!["marker.ada".to_owned(), "marker.eve".into(), GOOD.to_owned()];
    secrets.extend([GOOD.replace(' ', "+"), "an utterly wrong password".into()]);
    let mut ada = server.visitor().with("User-Agent", "Marker/1.0");
    assert_eq!(ada.signs_up("marker.ada@example.com", GOOD).status, 303);
    secrets.extend(ada.cookies.values().cloned());
    secrets.push(ada.token());
    assert_eq!(ada.submits("/account/logout", &[]).status, 303);
    assert_eq!(ada.logs_in("marker.ada@example.com", "an utterly wrong password").status, 422);
    assert_eq!(ada.logs_in("marker.eve@example.com", GOOD).status, 422);
    assert_eq!(ada.logs_in("marker.ada@example.com", GOOD).status, 303);
    secrets.extend(ada.cookies.values().cloned());
    assert_eq!(server.visitor().signs_up("marker.ada@example.com", GOOD).status, 422);
    assert_eq!(ada.get("/account/mypage").status, 200);
    assert_eq!(ada.get("/nowhere").status, 404);
    let path = link(&server.output()).expect("a link is printed");
    let page = ada.get(&path).header("location").expect("a page").to_owned();
    assert_eq!(ada.get(&page).status, 200);
    secrets.push(path.rsplit('/').next().expect("a token").to_owned());
    let said = server.stops();
    assert_eq!(said.code(), Some(0), "{said:#?}");
    (said, secrets)
}

#[test]
fn json_logs_are_valid_line_by_line() {
    let sandbox = Sandbox::new().with_cheap_hashing().with("ROCKET_LOG_FORMAT", "json");

    let (said, secrets) = log_of_a_day(&sandbox);

    let lines: Vec<serde_json::Value> = said
        .errors
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    assert!(lines.iter().all(|line| line["message"].is_string()), "{}", said.errors);
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
    let joined = lines.iter().find(|line| line["message"] == "signed up").expect("a sign-up");
    assert!(joined["user.id"].is_i64(), "{joined}");
    assert!(joined["session.id"].is_string() && joined["request.id"].is_string(), "{joined}");
    for outcome in ["logged in", "logged out", "password refused: wrong credentials"] {
        assert!(lines.iter().any(|line| line["message"] == outcome), "{outcome}: {}", said.errors);
    }
    for secret in secrets {
        assert!(!said.errors.contains(&secret), "{secret} in {}", said.errors);
    }
}

#[test]
fn text_logs_hold_no_secrets() {
    let (said, secrets) = log_of_a_day(&Sandbox::new().with_cheap_hashing());

    assert!(said.errors.contains("INFO signed up user.id=1 session.id="), "{}", said.errors);
    assert!(!said.errors.contains('\u{1b}'), "no colours where nobody looks");
    assert!(
        said.errors.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_err())
    );
    for secret in secrets {
        assert!(!said.errors.contains(&secret), "{secret} in {}", said.errors);
    }
}

#[test]
fn trace_logs_hold_no_secrets() {
    let sandbox = Sandbox::new().with_cheap_hashing().with("ROCKET_LOG_LEVEL", "debug");

    let (said, secrets) = log_of_a_day(&sandbox);

    assert!(said.errors.contains("signed up"), "{}", said.errors);
    let printed = said.output.lines().filter(|line| !line.trim().starts_with("http://localhost:"));
    let lines: Vec<_> = said.errors.lines().chain(printed).collect();
    for secret in &secrets {
        let line = lines.iter().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "{secret}");
    }
}

#[test]
fn a_disabled_log_is_empty() {
    let (said, _) =
        log_of_a_day(&Sandbox::new().with_cheap_hashing().with("ROCKET_LOG_LEVEL", "off"));

    assert_eq!(said.errors, "");
}
