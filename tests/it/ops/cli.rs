//! The command line: help, languages, mistakes, and the commands `migrate` and `serve`.

use crate::support::GOOD;
use crate::support::process::{PATIENCE, Sandbox, ask, eventually, free_port};

pub(crate) const ENGLISH: &str = "C.UTF-8";

pub(crate) const KOREAN: &str = "ko_KR.UTF-8";

const COMMANDS: [&str; 6] =
    ["serve", "migrate", "createsuperuser", "changepassword", "check", "keys"];

pub(crate) fn is_korean(text: &str) -> bool {
    text.chars().any(|char| ('가'..='힣').contains(&char))
}

/// Tells the same in each language that the program speaks, and hands over what differs.
pub(crate) fn in_both_languages(check: impl Fn(&Sandbox, bool)) {
    for (language, is_korean) in [(ENGLISH, false), (KOREAN, true)] {
        check(&Sandbox::new().with_cheap_hashing().with("LANG", language), is_korean);
    }
}

/// A sandbox with the superuser `root@example.com`.
pub(crate) fn with_superuser() -> Sandbox {
    let sandbox = Sandbox::new().with_cheap_hashing();
    let made = sandbox.runs_with(&["createsuperuser", "--email", "root@example.com"], GOOD);
    assert_eq!(
        (made.code(), made.output.trim()),
        (Some(0), "The superuser is created."),
        "{made:#?}"
    );
    sandbox
}

#[test]
fn help_names_every_command_in_both_languages() {
    in_both_languages(|sandbox, korean| {
        for flag in ["--help", "-h"] {
            let said = sandbox.runs(&[flag]);

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
fn every_command_has_help_in_both_languages() {
    in_both_languages(|sandbox, korean| {
        for command in COMMANDS {
            let said = sandbox.runs(&[command, "--help"]);

            assert_eq!((said.code(), said.errors.as_str()), (Some(0), ""), "{said:#?}");
            assert!(said.output.contains(&format!("daemun {command}")), "{said:#?}");
            assert_eq!(is_korean(&said.output), korean, "{said:#?}");
        }
        let made = sandbox.runs(&["createsuperuser", "--help"]).output;
        assert!(made.contains("--email"), "{made}");
    });
}

#[test]
fn korean_help_has_no_english_heading() {
    let sandbox = Sandbox::new().with("LANG", KOREAN);
    for arguments in [vec!["--help"], vec!["createsuperuser", "--help"], vec!["serve", "--help"]] {
        let said = sandbox.runs(&arguments).output;

        for heading in ["Usage", "Commands", "Options", "Arguments"] {
            assert!(!said.contains(heading), "{heading} in {said}");
        }
    }
}

#[test]
fn the_version_is_printed() {
    for flag in ["--version", "-V"] {
        let said = Sandbox::new().runs(&[flag]);

        let version = format!("daemun {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((said.code(), said.output), (Some(0), version));
    }
}

#[test]
fn the_language_is_the_terminals() {
    let sandbox = Sandbox::new().with("LANG", KOREAN);
    assert!(is_korean(&sandbox.runs(&["--help"]).output));
    assert!(!is_korean(&sandbox.with("LC_ALL", "C").runs(&["--help"]).output));
    assert!(is_korean(&sandbox.with("LC_ALL", "").runs(&["--help"]).output), "empty is unset");
    assert!(!is_korean(&Sandbox::new().runs(&["--help"]).output));
}

#[test]
fn a_mistyped_command_gets_one_line() {
    in_both_languages(|sandbox, korean| {
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
            let said = sandbox.runs(&arguments);

            assert_eq!((said.code(), said.output.as_str()), (Some(2), ""), "{arguments:?}");
            let line = said.error_line();
            assert!(line.contains(culprit), "{arguments:?}: {line}");
            assert!(line.contains("daemun --help"), "{arguments:?}: {line}");
            assert_eq!(is_korean(line), korean, "{arguments:?}: {line}");
        }
    });
}

#[test]
fn a_missing_argument_is_named() {
    for arguments in [&["createsuperuser"][..], &["createsuperuser", "--email"]] {
        let said = Sandbox::new().runs(arguments);

        let missing = "Missing argument: --email <E-MAIL>; see daemun --help.";
        assert_eq!(said.error_line(), missing);
    }
}

#[test]
fn migrating_twice_is_fine() {
    in_both_languages(|sandbox, korean| {
        for _ in 0..2 {
            let said = sandbox.runs(&["migrate"]);

            assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
            assert_eq!(said.output.lines().count(), 1, "{said:#?}");
            assert_eq!(is_korean(&said.output), korean, "{said:#?}");
        }
        assert_eq!(ask(&sandbox.database(), "SELECT CAST(COUNT(*) AS TEXT) FROM users"), ["0"]);
    });
}

/// The path of the one-time link that was printed.
pub(crate) fn link(output: &str) -> Option<String> {
    let is_link = |word: &&str| word.starts_with("http") && word.contains("/admin/setup/");
    let word = output.split_whitespace().find(is_link)?;
    Some(word[word.find("/admin/setup/")?..].to_owned())
}

#[test]
fn a_server_prints_its_url_and_a_setup_link() {
    for (language, sentence) in [(ENGLISH, "Daemun is running at"), (KOREAN, "서버를 시작했습니다")]
    {
        let server = Sandbox::new().with_cheap_hashing().with("LANG", language).serves();
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
fn no_link_is_printed_once_a_superuser_exists() {
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
    let sandbox = Sandbox::new().with("ROCKET_PORT", free_port());
    let running = sandbox.starts(&[]);

    let serves = || running.output().contains("Daemun is running at http://localhost");

    assert!(eventually(PATIENCE, serves), "{}", running.output());
}
