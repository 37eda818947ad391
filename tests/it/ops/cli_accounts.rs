//! The commands `createsuperuser` and `changepassword`.

use crate::ops::cli::{ENGLISH, KOREAN, with_superuser};
use crate::support::GOOD;
use crate::support::process::{Machine, PATIENCE, Running, ask, eventually};
use crate::support::requirement::Requirement;

#[test]
fn a_superuser_made_at_the_terminal_can_log_in() {
    let machine = with_superuser();
    let server = machine.serves();
    let mut root = server.visitor();

    let answer = root.logs_in("root@example.com", GOOD);

    assert_eq!((answer.status, answer.header("location")), (303, Some("/account/mypage")));
    assert!(root.is_signed_in());
    let flags = "SELECT email FROM users WHERE is_superuser AND is_staff AND is_active";
    assert_eq!(ask(&machine.database(), flags), ["root@example.com"]);
}

#[test]
fn only_the_first_line_of_the_input_is_the_password() {
    for input in [format!("{GOOD}\n"), format!("{GOOD}\r\n"), format!("{GOOD}\nmore\nlines\n")] {
        let machine = Machine::new().in_a_hurry();
        let made = machine.runs_with(&["createsuperuser", "--email", "root@example.com"], &input);
        assert_eq!(made.code(), Some(0), "{made:#?}");

        let server = machine.serves();

        assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 303, "{input:?}");
    }
}

#[test]
fn an_address_that_is_taken_or_none_makes_no_superuser() {
    let machine = with_superuser();
    for (language, taken, malformed) in [
        (ENGLISH, "There is already an account with this email.", "Enter a valid email address"),
        (KOREAN, "이미", "이메일 주소를 입력해"),
    ] {
        let machine = machine.with("LANG", language);

        let twice = machine.runs_with(&["createsuperuser", "--email", "Root@EXAMPLE.com"], GOOD);
        assert_eq!((twice.code(), twice.output.as_str()), (Some(1), ""), "{twice:#?}");
        assert!(twice.complaint().contains(taken), "{twice:#?}");

        for address in ["root", "root@", "a b@example.com", ""] {
            let said = machine.runs_with(&["createsuperuser", "--email", address], GOOD);
            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            assert!(said.complaint().contains(malformed), "{said:#?}");
        }
    }
    assert_eq!(ask(&machine.database(), "SELECT email FROM users"), ["root@example.com"]);
}

#[test]
fn a_weak_password_is_refused_with_every_reason() {
    let machine = with_superuser();
    for (language, reasons) in [
        (ENGLISH, ["too short", "too similar", "too common", "entirely numeric"]),
        (KOREAN, ["너무 짧습니다", "너무 비슷합니다", "너무 흔히", "숫자로만"]),
    ] {
        let machine = machine.with("LANG", language);
        let arguments = ["createsuperuser", "--email", "123456@example.com"];
        let said = machine.runs_with(&arguments, "123456\n");

        assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
        assert_eq!(said.complaints().len(), reasons.len(), "{said:#?}");
        for (line, reason) in said.complaints().iter().zip(reasons) {
            assert!(line.contains(reason), "{reason} in {line}");
        }
    }
    let said = machine.runs_with(&["changepassword", "root@example.com"], "password\n");
    assert_eq!((said.code(), said.complaint()), (Some(1), "This password is too common."));
}

#[test]
fn without_a_password_nothing_is_made() {
    let machine = with_superuser();
    for (language, sentence) in [(ENGLISH, "Enter a password."), (KOREAN, "비밀번호를 입력해")]
    {
        for input in ["", "\n", "\r\n"] {
            for arguments in [
                vec!["createsuperuser", "--email", "ada@example.com"],
                vec!["changepassword", "root@example.com"],
            ] {
                let said = machine.with("LANG", language).runs_with(&arguments, input);

                assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
                assert!(said.complaint().contains(sentence), "{said:#?}");
            }
        }
    }
    assert_eq!(ask(&machine.database(), "SELECT email FROM users"), ["root@example.com"]);
    let server = machine.serves();
    assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 303, "the old one");
}

#[test]
fn a_password_changed_at_the_terminal_ends_every_session() {
    const NEW: &str = "another horse, another battery";
    let machine = with_superuser().with("ROCKET_SESSION_CACHE", "0s");
    let server = machine.serves();
    let mut root = server.visitor();
    assert_eq!(root.logs_in("root@example.com", GOOD).status, 303);
    assert!(root.is_signed_in());

    let said = machine.runs_with(&["changepassword", "ROOT@example.com"], NEW);

    assert_eq!((said.code(), said.complaints()), (Some(0), vec![]), "{said:#?}");
    assert!(said.output.contains("all sessions of the account are over"), "{said:#?}");
    assert!(!root.is_signed_in(), "also on a server that runs");
    assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 422, "the old one");
    assert_eq!(server.visitor().logs_in("root@example.com", NEW).status, 303);
}

#[test]
fn nobodys_password_cannot_be_changed() {
    let machine = with_superuser();
    for (language, sentence) in
        [(ENGLISH, "No account has this email."), (KOREAN, "계정이 없습니다")]
    {
        let said = machine
            .with("LANG", language)
            .runs_with(&["changepassword", "eve@example.com"], "another horse, another battery");

        assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
        assert!(said.complaint().contains(sentence), "{said:#?}");
    }
}

/// A command on a terminal of its own; `None` where the machine has no util-linux `script`.
fn on_a_terminal(machine: &Machine, command: &str) -> Option<Running> {
    if !Requirement::Terminal.is_met() {
        return None;
    }
    let mut script = machine.command("script");
    let command = format!("{} {command}", env!("CARGO_BIN_EXE_daemun"));
    script.env("SHELL", "/bin/sh").env("TERM", "dumb");
    script.args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"]);
    Some(Running::new(script))
}

/// Types a line whenever the terminal has asked once more.
fn types(terminal: &mut Running, prompt: &str, lines: &[&str]) {
    for (number, line) in lines.iter().enumerate() {
        let has_asked = || terminal.output().matches(prompt).count() > number;
        assert!(eventually(PATIENCE, has_asked), "{}", terminal.output());
        terminal.hears_next(&format!("{line}\n"));
    }
}

#[test]
fn a_terminal_is_asked_twice_and_shows_no_password() {
    for (language, prompt) in [(ENGLISH, "Password"), (KOREAN, "비밀번호")] {
        let machine = Machine::new().in_a_hurry().with("LANG", language);
        let command = "createsuperuser --email root@example.com";
        let Some(mut terminal) = on_a_terminal(&machine, command) else { return };

        types(&mut terminal, prompt, &[GOOD, GOOD]);
        let said = terminal.ends(PATIENCE);

        assert_eq!(said.code(), Some(0), "{said:#?}");
        assert!(!said.output.contains(GOOD), "nothing is shown: {said:#?}");
        assert_eq!(ask(&machine.database(), "SELECT email FROM users"), ["root@example.com"]);
    }
}

#[test]
fn whoever_types_two_different_passwords_is_told() {
    let machine = with_superuser();
    let command = "changepassword root@example.com";
    let Some(mut terminal) = on_a_terminal(&machine, command) else { return };

    types(&mut terminal, "Password", &["another horse, another battery", "another house"]);
    let said = terminal.ends(PATIENCE);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.output.contains("The two passwords"), "{said:#?}");
    let server = machine.serves();
    assert_eq!(server.visitor().logs_in("root@example.com", GOOD).status, 303, "the old one");
}
