//! The commands `createsuperuser` and `changepassword`.

use crate::ops::cli::{ENGLISH, KOREAN, with_superuser};
use crate::support::GOOD;
use crate::support::process::{PATIENCE, RunningCommand, Sandbox, ask, eventually};
use crate::support::requirement::Requirement;

#[test]
fn a_superuser_created_at_the_terminal_can_log_in() {
    let sandbox = with_superuser();
    let server = sandbox.serves();
    let mut root = server.visitor();

    let answer = root.logs_in("root@example.com", GOOD);

    assert_eq!((answer.status, answer.header("location")), (303, Some("/account/mypage")));
    assert!(root.is_signed_in());
    let flags = "SELECT email FROM users WHERE is_superuser AND is_staff AND is_active";
    assert_eq!(ask(&sandbox.database(), flags), ["root@example.com"]);
}

#[test]
fn only_the_first_line_of_input_is_the_password() {
    for input in [format!("{GOOD}\n"), format!("{GOOD}\r\n"), format!("{GOOD}\nmore\nlines\n")] {
        let sandbox = Sandbox::new().with_cheap_hashing();
        let made = sandbox.runs_with(&["createsuperuser", "--email", "root@example.com"], &input);
        assert_eq!(made.code(), Some(0), "{made:#?}");

        let server = sandbox.serves();

        assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 303, "{input:?}");
    }
}

#[test]
fn a_taken_or_invalid_address_creates_no_superuser() {
    let sandbox = with_superuser();
    for (language, taken, malformed) in [
        (ENGLISH, "There is already an account with this email.", "Enter a valid email address"),
        (KOREAN, "이미", "이메일 주소를 입력해"),
    ] {
        let sandbox = sandbox.with("LANG", language);

        let twice = sandbox.runs_with(&["createsuperuser", "--email", "Root@EXAMPLE.com"], GOOD);
        assert_eq!((twice.code(), twice.output.as_str()), (Some(1), ""), "{twice:#?}");
        assert!(twice.error_line().contains(taken), "{twice:#?}");

        for address in ["root", "root@", "a b@example.com", ""] {
            let said = sandbox.runs_with(&["createsuperuser", "--email", address], GOOD);
            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            assert!(said.error_line().contains(malformed), "{said:#?}");
        }
    }
    assert_eq!(ask(&sandbox.database(), "SELECT email FROM users"), ["root@example.com"]);
}

#[test]
fn a_weak_password_is_refused_with_every_reason() {
    let sandbox = with_superuser();
    for (language, reasons) in [
        (ENGLISH, ["too short", "too similar", "too common", "can't be only digits"]),
        (KOREAN, ["너무 짧습니다", "너무 비슷합니다", "너무 흔히", "숫자로만"]),
    ] {
        let sandbox = sandbox.with("LANG", language);
        let arguments = ["createsuperuser", "--email", "123456@example.com"];
        let said = sandbox.runs_with(&arguments, "123456\n");

        assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
        assert_eq!(said.error_lines().len(), reasons.len(), "{said:#?}");
        for (line, reason) in said.error_lines().iter().zip(reasons) {
            assert!(line.contains(reason), "{reason} in {line}");
        }
    }
    let said = sandbox.runs_with(&["changepassword", "root@example.com"], "password\n");
    assert_eq!(
        (said.code(), said.error_line()),
        (Some(1), "This password is too common. Choose another one.")
    );
}

#[test]
fn without_a_password_nothing_is_created() {
    let sandbox = with_superuser();
    for (language, sentence) in [(ENGLISH, "Enter the password."), (KOREAN, "비밀번호를 입력해")]
    {
        for input in ["", "\n", "\r\n"] {
            for arguments in [
                vec!["createsuperuser", "--email", "ada@example.com"],
                vec!["changepassword", "root@example.com"],
            ] {
                let said = sandbox.with("LANG", language).runs_with(&arguments, input);

                assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
                assert!(said.error_line().contains(sentence), "{said:#?}");
            }
        }
    }
    assert_eq!(ask(&sandbox.database(), "SELECT email FROM users"), ["root@example.com"]);
    let server = sandbox.serves();
    assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 303, "the old one");
}

#[test]
fn a_changed_password_ends_every_session() {
    const NEW: &str = "another horse, another battery";
    let sandbox = with_superuser().with("ROCKET_SESSION_CACHE", "0s");
    let server = sandbox.serves();
    let mut root = server.visitor();
    assert_eq!(root.logs_in("root@example.com", GOOD).status, 303);
    assert!(root.is_signed_in());

    let said = sandbox.runs_with(&["changepassword", "ROOT@example.com"], NEW);

    assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
    assert!(said.output.contains("all sessions of the account have ended"), "{said:#?}");
    assert!(!root.is_signed_in(), "also on a server that runs");
    assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 422, "the old one");
    assert_eq!(server.visitor().logs_in("root@example.com", NEW).status, 303);
}

#[test]
fn an_unknown_address_has_no_password_to_change() {
    let sandbox = with_superuser();
    for (language, sentence) in
        [(ENGLISH, "No account has this email."), (KOREAN, "계정이 없습니다")]
    {
        let said = sandbox
            .with("LANG", language)
            .runs_with(&["changepassword", "eve@example.com"], "another horse, another battery");

        assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
        assert!(said.error_line().contains(sentence), "{said:#?}");
    }
}

/// A command on a terminal of its own; `None` where the machine has no util-linux `script`.
fn on_a_terminal(sandbox: &Sandbox, command: &str) -> Option<RunningCommand> {
    if !Requirement::Terminal.is_met() {
        return None;
    }
    let mut script = sandbox.command("script");
    let command = format!("{} {command}", env!("CARGO_BIN_EXE_daemun"));
    script.env("SHELL", "/bin/sh").env("TERM", "dumb");
    script.args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"]);
    Some(RunningCommand::new(script))
}

/// Types a line whenever the terminal has asked once more.
fn types(terminal: &mut RunningCommand, prompt: &str, lines: &[&str]) {
    for (number, line) in lines.iter().enumerate() {
        let has_asked = || terminal.output().matches(prompt).count() > number;
        assert!(eventually(PATIENCE, has_asked), "{}", terminal.output());
        terminal.write_input(&format!("{line}\n"));
    }
}

#[test]
fn a_terminal_is_asked_twice_without_echo() {
    for (language, prompt) in [(ENGLISH, "Password"), (KOREAN, "비밀번호")] {
        let sandbox = Sandbox::new().with_cheap_hashing().with("LANG", language);
        let command = "createsuperuser --email root@example.com";
        let Some(mut terminal) = on_a_terminal(&sandbox, command) else { return };

        types(&mut terminal, prompt, &[GOOD, GOOD]);
        let said = terminal.ends(PATIENCE);

        assert_eq!(said.code(), Some(0), "{said:#?}");
        assert!(!said.output.contains(GOOD), "nothing is shown: {said:#?}");
        assert_eq!(ask(&sandbox.database(), "SELECT email FROM users"), ["root@example.com"]);
    }
}

#[test]
fn two_different_passwords_are_refused() {
    let sandbox = with_superuser();
    let command = "changepassword root@example.com";
    let Some(mut terminal) = on_a_terminal(&sandbox, command) else { return };

    types(&mut terminal, "Password", &["another horse, another battery", "another house"]);
    let said = terminal.ends(PATIENCE);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.output.contains("The two passwords"), "{said:#?}");
    let server = sandbox.serves();
    assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 303, "the old one");
}
