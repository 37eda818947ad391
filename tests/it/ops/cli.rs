//! The command line: help, languages, mistakes, and the commands `migrate` and `serve`.

use crate::support::GOOD;
use crate::support::process::{Machine, PATIENCE, ask, eventually, free_port};

pub(crate) const ENGLISH: &str = "C.UTF-8";

pub(crate) const KOREAN: &str = "ko_KR.UTF-8";

const COMMANDS: [&str; 6] =
    ["serve", "migrate", "createsuperuser", "changepassword", "check", "keys"];

pub(crate) fn is_korean(text: &str) -> bool {
    text.chars().any(|char| ('가'..='힣').contains(&char))
}

/// Tells the same in each language that the program speaks, and hands over what differs.
pub(crate) fn in_both_languages(tell: impl Fn(&Machine, bool)) {
    for (language, is_korean) in [(ENGLISH, false), (KOREAN, true)] {
        tell(&Machine::new().in_a_hurry().with("LANG", language), is_korean);
    }
}

/// A machine on which somebody has made `root@example.com` superuser.
pub(crate) fn with_superuser() -> Machine {
    let machine = Machine::new().in_a_hurry();
    let made = machine.runs_with(&["createsuperuser", "--email", "root@example.com"], GOOD);
    assert_eq!((made.code(), made.output.trim()), (Some(0), "The superuser is made."), "{made:#?}");
    machine
}

#[test]
fn help_names_every_command_in_the_readers_language() {
    in_both_languages(|machine, korean| {
        for flag in ["--help", "-h"] {
            let said = machine.runs(&[flag]);

            assert_eq!((said.code(), said.errors.as_str()), (Some(0), ""), "{said:#?}");
            for command in COMMANDS {
                let names_it = |line: &str| line.trim_start().starts_with(command);
                let line = said.output.lines().find(|line| names_it(line)).expect(command);
                assert_eq!(is_korean(line), korean, "{line}");
            }
            assert!(said.output.contains("Rocket.toml"), "where the settings are: {said:#?}");
        }
    });
}

#[test]
fn every_command_has_help_in_the_readers_language() {
    in_both_languages(|machine, korean| {
        for command in COMMANDS {
            let said = machine.runs(&[command, "--help"]);

            assert_eq!((said.code(), said.errors.as_str()), (Some(0), ""), "{said:#?}");
            assert!(said.output.contains(&format!("daemun {command}")), "{said:#?}");
            assert_eq!(is_korean(&said.output), korean, "{said:#?}");
        }
        let made = machine.runs(&["createsuperuser", "--help"]).output;
        assert!(made.contains("--email"), "{made}");
    });
}

#[test]
fn korean_help_has_no_english_heading() {
    let machine = Machine::new().with("LANG", KOREAN);
    for arguments in [vec!["--help"], vec!["createsuperuser", "--help"], vec!["serve", "--help"]] {
        let said = machine.runs(&arguments).output;

        for heading in ["Usage", "Commands", "Options", "Arguments"] {
            assert!(!said.contains(heading), "{heading} in {said}");
        }
    }
}

#[test]
fn the_version_is_told() {
    for flag in ["--version", "-V"] {
        let said = Machine::new().runs(&[flag]);

        let version = format!("daemun {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((said.code(), said.output), (Some(0), version));
    }
}

#[test]
fn the_language_is_the_terminals() {
    let machine = Machine::new().with("LANG", KOREAN);
    assert!(is_korean(&machine.runs(&["--help"]).output));
    assert!(!is_korean(&machine.with("LC_ALL", "C").runs(&["--help"]).output));
    assert!(is_korean(&machine.with("LC_ALL", "").runs(&["--help"]).output), "empty is unset");
    assert!(!is_korean(&Machine::new().runs(&["--help"]).output));
}

#[test]
fn whoever_mistypes_a_command_gets_one_line() {
    in_both_languages(|machine, korean| {
        for (arguments, culprit) in [
            (vec!["serv"], "“serv”"),
            (vec!["help"], "“help”"),
            (vec![""], "“”"),
            (vec!["--emial", "x"], "--emial"),
            (vec!["--port=3"], "--port"),
            (vec!["serve", "--fast"], "--fast"),
            (vec!["check", "this"], "this"),
            (vec!["changepassword", "a@example.com", "b"], "“b”"),
            (vec!["createsuperuser"], "--email"),
            (vec!["createsuperuser", "--email"], "--email"),
            (vec!["createsuperuser", "a@example.com"], "a@example.com"),
            (vec!["changepassword"], "E-MAIL"),
            (vec!["keys"], "rotate, replace, list, show"),
            (vec!["keys", "burn"], "“burn”"),
            (vec!["keys", "rotate", "now"], "now"),
        ] {
            let said = machine.runs(&arguments);

            assert_eq!((said.code(), said.output.as_str()), (Some(2), ""), "{arguments:?}");
            let complaint = said.complaint();
            assert!(complaint.contains(culprit), "{arguments:?}: {complaint}");
            assert!(complaint.contains("daemun --help"), "{arguments:?}: {complaint}");
            assert_eq!(is_korean(complaint), korean, "{arguments:?}: {complaint}");
        }
    });
}

#[test]
fn an_argument_that_is_forgotten_is_said_to_be_missing() {
    for arguments in [&["createsuperuser"][..], &["createsuperuser", "--email"]] {
        let said = Machine::new().runs(arguments);

        let missing = "Something is missing: --email <E-MAIL>; see daemun --help.";
        assert_eq!(said.complaint(), missing);
    }
}

#[test]
fn bringing_the_tables_up_to_date_twice_is_fine() {
    in_both_languages(|machine, korean| {
        for _ in 0..2 {
            let said = machine.runs(&["migrate"]);

            assert_eq!((said.code(), said.complaints()), (Some(0), vec![]), "{said:#?}");
            assert_eq!(said.output.lines().count(), 1, "{said:#?}");
            assert_eq!(is_korean(&said.output), korean, "{said:#?}");
        }
        assert_eq!(ask(&machine.database(), "SELECT CAST(COUNT(*) AS TEXT) FROM users"), ["0"]);
    });
}

/// The path of the one-time link that was printed.
pub(crate) fn link(output: &str) -> Option<String> {
    let is_link = |word: &&str| word.starts_with("http") && word.contains("/admin/setup/");
    let word = output.split_whitespace().find(is_link)?;
    Some(word[word.find("/admin/setup/")?..].to_owned())
}

#[test]
fn a_server_prints_its_address_and_a_link_for_the_first_superuser() {
    for (language, sentence) in [(ENGLISH, "Daemun serves"), (KOREAN, "대문이 열렸습니다")]
    {
        let server = Machine::new().in_a_hurry().with("LANG", language).serves();
        let address = format!("http://localhost:{}", server.port);

        let has_greeted = || server.output().contains("daemun createsuperuser --email");
        assert!(eventually(PATIENCE, has_greeted), "{}", server.output());

        let output = server.output();
        assert!(output.contains(sentence) && output.contains(&address), "{output}");
        assert!(output.contains(&format!("{address}/admin/setup/")), "{output}");
        let mut root = server.visitor();
        let path = link(&output).expect("a link");
        let tokens = root.get(&path);
        let page = tokens.header("location").unwrap_or_else(|| panic!("{}", server.log()));
        assert_eq!((tokens.status, root.get(page).status), (303, 200), "{}", server.log());
        let fields = [("email", "root@example.com"), ("password1", GOOD), ("password2", GOOD)];
        assert_eq!(root.submits(page, &fields).status, 303, "{}", server.log());
        assert!(root.is_signed_in());
        assert_eq!(root.get(&path).status, 404, "once: {}", server.log());
        assert!(!server.log().contains(path.rsplit('/').next().expect("a token")), "not logged");
    }
}

#[test]
fn no_link_is_printed_once_there_is_a_superuser() {
    let server = with_superuser().serves();
    assert_eq!(server.visitor().get("/").status, 200);

    let said = server.stops();

    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(said.output.contains("http://localhost"), "{said:#?}");
    assert!(!said.output.contains("/admin/setup/"), "{said:#?}");
    assert_eq!(said.output.trim().lines().count(), 1, "{said:#?}");
}

#[test]
fn without_a_command_it_serves() {
    let machine = Machine::new().with("ROCKET_PORT", free_port());
    let running = machine.starts(&[]);

    let serves = || running.output().contains("Daemun serves http://localhost");

    assert!(eventually(PATIENCE, serves), "{}", running.output());
}
