//! The command line as whoever runs the machine meets it: the real program, in a folder of its own.

use std::time::Duration;

use crate::support::GOOD;
use crate::support::process::{
    Disk, Machine, PATIENCE, Running, Said, ask, eventually, free_port, postgres,
};
use crate::support::requirement::Requirement;

const ENGLISH: &str = "C.UTF-8";
const KOREAN: &str = "ko_KR.UTF-8";

const COMMANDS: [&str; 6] =
    ["serve", "migrate", "createsuperuser", "changepassword", "check", "keys"];

fn is_korean(text: &str) -> bool {
    text.chars().any(|char| ('가'..='힣').contains(&char))
}

/// Tells the same in each language that the program speaks, and hands over what differs.
fn in_both_languages(tell: impl Fn(&Machine, bool)) {
    for (language, is_korean) in [(ENGLISH, false), (KOREAN, true)] {
        tell(&Machine::new().in_a_hurry().with("LANG", language), is_korean);
    }
}

/// A machine on which somebody has made `root@example.com` superuser.
fn with_superuser() -> Machine {
    let machine = Machine::new().in_a_hurry();
    let made = machine.runs_with(&["createsuperuser", "--email", "root@example.com"], GOOD);
    assert_eq!((made.code(), made.output.trim()), (Some(0), "The superuser is made."), "{made:#?}");
    machine
}

// Asking for help, and being misunderstood.

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

// Settings.

/// What the program says about a setting, in both languages; it does nothing else.
fn refuses(name: &str, value: &str, shown: &str, allowed: [&str; 2]) {
    in_both_languages(|machine, korean| {
        for command in ["serve", "check", "migrate"] {
            let said = machine.with(name, value).runs(&[command]);

            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            let complaint = said.complaint();
            let allowed = allowed[usize::from(korean)];
            assert!(complaint.contains(shown), "{shown} in {complaint}");
            assert!(complaint.contains(allowed), "{allowed} in {complaint}");
            assert_eq!(is_korean(complaint), korean, "{complaint}");
            assert!(!machine.path("data").exists(), "nothing is made");
        }
    });
}

#[test]
fn a_duration_that_is_none_is_refused() {
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
fn a_misspelt_setting_is_refused_with_the_nearest_name() {
    refuses("ROCKET_PUBLC_URL", "x", "publc_url = x", ["public_url is meant", "public_url이"]);
}

#[test]
fn a_kind_of_verification_that_does_not_exist_is_refused() {
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
            let said = Machine::new().with("ROCKET_SECRET_KEY", secret).runs(&[command]);

            assert_eq!(said.code(), Some(1), "{said:#?}");
            for part in ["secret-list", "and-secret", "2718281828", "secret=1"] {
                assert!(!said.complaint().contains(part), "{said:#?}");
            }
        }
    }
}

#[test]
fn a_database_of_another_make_is_refused_without_its_password() {
    refuses(
        "ROCKET_DATABASE_URL",
        "mysql://ada:sesame@db/x",
        "database_url = mysql://ada:***@db/x",
        ["postgres://user:password@host/database", "postgres://"],
    );
    for url in ["mysql://ada:sesame@db/x", "postgres//ada:sesame@db/x", "postgres://a:sesame@:x/"] {
        let said = Machine::new().with("ROCKET_DATABASE_URL", url).runs(&["check"]);
        assert!(!said.complaint().contains("sesame"), "{said:#?}");
    }
}

#[test]
fn a_port_that_is_none_is_refused() {
    let allowed = ["u16", "u16"];
    refuses("ROCKET_PORT", "abc", "port = abc", allowed);
    refuses("ROCKET_PORT", "70000", "port = 70000", allowed);
}

#[test]
fn an_address_that_is_none_is_refused() {
    refuses("ROCKET_ADDRESS", "everywhere", "address = everywhere", ["IP address", "IP address"]);
}

#[test]
fn a_wrong_setting_of_rockets_is_no_panic() {
    for (name, value) in [
        ("ROCKET_WORKERS", "many"),
        ("ROCKET_MAX_BLOCKING", "none"),
        ("ROCKET_SHUTDOWN", "{force=3}"),
        ("ROCKET_KEEP_ALIVE", "always"),
        ("ROCKET_LIMITS", "5"),
    ] {
        for command in ["serve", "check", "migrate"] {
            let said = Machine::new().with(name, value).runs(&[command]);

            let setting = name.trim_start_matches("ROCKET_").to_lowercase();
            assert_eq!(said.code(), Some(1), "{said:#?}");
            assert!(said.complaint().contains(&setting), "{said:#?}");
        }
    }
}

#[test]
fn one_mistake_is_said_once() {
    refuses("ROCKET_LOG_LEVEL", "loud", "log_level = loud", ["off, critical, normal, debug"; 2]);
    refuses("ROCKET_SIGNUP", "op\nen", "signup = ", ["open, closed", "open, closed"]);
}

#[test]
fn all_mistakes_are_said_at_once() {
    let machine = Machine::new().with("ROCKET_SIGNUP", "maybe").with("ROCKET_LEEWAY", "1h");

    let said = machine.with("ROCKET_SINGUP", "open").runs(&["serve"]);

    let complaints = said.complaints();
    assert_eq!((said.code(), complaints.len()), (Some(1), 3), "{said:#?}");
    for name in ["signup = maybe", "leeway = 1h", "singup = open"] {
        assert!(complaints.iter().any(|line| line.contains(name)), "{name} in {complaints:?}");
    }
}

#[test]
fn a_settings_file_that_cannot_be_read_is_one_line_without_its_secrets() {
    for (text, place) in [
        ("[default\n", "line 1"),
        ("[default]\nport = 1\nport = 2\n", "line 3"),
        ("[default]\nsecret_key = \"sesame\n", "line 2"),
        ("port = 8000\n", "line 1"),
    ] {
        in_both_languages(|machine, korean| {
            machine.write("Rocket.toml", text);
            for command in ["serve", "check", "migrate"] {
                let said = machine.runs(&[command]);

                assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
                let complaint = said.complaint();
                assert!(complaint.contains("Rocket.toml"), "{complaint}");
                assert!(complaint.contains(place), "{place}: {complaint}");
                assert!(!complaint.contains("sesame"), "{complaint}");
                assert_eq!(is_korean(complaint), korean, "{complaint}");
            }
        });
    }
}

#[test]
fn a_wrong_setting_in_the_file_is_refused_like_one_in_the_environment() {
    let machine = Machine::new();
    machine.write("Rocket.toml", "[default]\nsignup = \"maybe\"\n");

    let said = machine.runs(&["serve"]);

    assert_eq!(said.code(), Some(1));
    assert!(said.complaint().contains("signup = maybe"), "{said:#?}");
    let overridden = machine.with("ROCKET_SIGNUP", "open").runs(&["migrate"]);
    assert_eq!(overridden.code(), Some(0), "the environment wins: {overridden:#?}");
}

// What the settings name and what is not there.

/// What is missing is named, whatever is started; and the checkup finds nothing else.
fn cannot_open(settings: &[(&str, &str)], prepare: impl Fn(&Machine), culprit: &str) {
    in_both_languages(|machine, korean| {
        prepare(machine);
        let machine =
            machine.with("ROCKET_PORT", 0).with("ROCKET_PASSWORD_HASH", "m=19456,t=2,p=1");
        let machine =
            settings.iter().fold(machine, |machine, (name, value)| machine.with(name, value));
        for command in ["serve", "migrate"] {
            let said = machine.runs(&[command]);

            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            let complaint = said.complaint();
            assert!(complaint.contains(culprit), "{culprit} in {complaint}");
            assert_eq!(is_korean(complaint), korean, "{complaint}");
        }
        let check = machine.runs(&["check"]);
        assert_eq!(check.code(), Some(1), "what does not start does not pass: {check:#?}");
        assert!(check.complaint().contains(culprit.trim_start_matches("sqlite://")), "{check:#?}");
    });
}

#[test]
fn a_database_in_a_folder_that_cannot_be_made_does_not_open() {
    let settings = [("ROCKET_DATABASE_URL", "sqlite://plain/below/daemun.db")];
    cannot_open(&settings, |machine| machine.write("plain", "a file"), "sqlite://plain/below");
}

#[test]
fn a_file_that_is_no_database_does_not_open() {
    let noise: Vec<u8> = (0..8192_u32).map(|byte| (byte * 31 % 251) as u8).collect();
    let settings = [("ROCKET_DATABASE_URL", "sqlite://noise.db")];
    cannot_open(&settings, |machine| machine.write("noise.db", &noise), "sqlite://noise.db");
}

#[test]
fn a_folder_is_no_database() {
    let settings = [("ROCKET_DATABASE_URL", "sqlite://folder")];
    cannot_open(&settings, |machine| machine.write("folder/x", ""), "sqlite://folder");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let settings = [("ROCKET_DATA_DIR", "plain/data")];
    cannot_open(&settings, |machine| machine.write("plain", "a file"), "plain/data");
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    if !Requirement::OrdinaryUser.is_met() {
        return;
    }
    let forbid = |machine: &Machine| {
        machine.write("data/x", "");
        let readable = std::fs::Permissions::from_mode(0o555);
        std::fs::set_permissions(machine.path("data"), readable).expect("it is ours");
    };
    cannot_open(&[], forbid, "data");
}

#[test]
fn a_secret_file_with_rubbish_in_it_is_named_and_not_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    for rubbish in [&b"open sesame"[..], b"", &[0xff; 40]] {
        let prepare = |machine: &Machine| {
            machine.write("data/secret_key", rubbish);
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(machine.path("data/secret_key"), private).expect("ours");
        };
        cannot_open(&[], prepare, "data/secret_key");
    }
    let machine = Machine::new();
    machine.write("data/secret_key", "open sesame");
    assert!(!machine.runs(&["serve"]).errors.contains("sesame"));
}

#[test]
fn a_postgres_that_is_not_there_is_given_up_within_seconds_and_its_password_is_not_shown() {
    for query in ["", "?password=sesame"] {
        let port = free_port();
        let url = format!("postgres://ada:sesame@127.0.0.1:{port}/daemun{query}");
        in_both_languages(|machine, korean| {
            let said = machine.with("ROCKET_DATABASE_URL", &url).runs(&["migrate"]);

            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            let complaint = said.complaint();
            assert!(complaint.contains("postgres://ada:***@127.0.0.1"), "{complaint}");
            assert!(!said.errors.contains("sesame"), "{complaint}");
            assert_eq!(is_korean(complaint), korean, "{complaint}");
            assert!(said.took < Duration::from_secs(20), "{:?}", said.took);
        });
    }
}

#[test]
fn a_checkup_says_that_postgres_is_away_and_why_also_in_an_empty_folder() {
    let port = free_port();
    let url = format!("postgres://ada:sesame@127.0.0.1:{port}/daemun");
    for secret in [None, Some("0123456789abcdef".repeat(4))] {
        let mut machine = Machine::new().with("LANG", ENGLISH).with("ROCKET_DATABASE_URL", &url);
        if let Some(secret) = &secret {
            machine = machine.with("ROCKET_SECRET_KEY", secret);
        }
        for command in ["check", "serve"] {
            let said = machine.runs(&[command]);

            assert_eq!(said.code(), Some(1), "{command}: {said:#?}");
            let away =
                format!("The database postgres://ada:***@127.0.0.1:{port}/daemun does not open: ");
            let line = said.complaints().into_iter().find(|line| line.starts_with(&away));
            let line = line.unwrap_or_else(|| panic!("{command}: {said:#?}"));
            assert!(line.contains("refused") && !line.contains("pool"), "{line}");
            assert!(!said.output.contains("Nothing"), "{said:#?}");
            assert!(
                command == "serve" || !machine.path("data").exists(),
                "a checkup makes nothing"
            );
        }
    }
}

#[test]
fn a_checkup_in_an_empty_folder_looks_at_the_postgres_that_is_there() {
    let Some(url) = postgres() else { return };
    let machine = Machine::new().with("LANG", ENGLISH).with("ROCKET_DATABASE_URL", &url);

    let said = machine.runs(&["check"]);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(said.output.contains("daemun migrate"), "the tables are not there yet: {said:#?}");
    assert!(!machine.path("data").exists(), "a checkup makes nothing");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_piped_password() {
    let machine = Machine::new().in_a_hurry();
    let piped = "\u{feff}a calm lighthouse keeper\r\n";
    let made = machine.runs_with(&["createsuperuser", "--email", "root@example.com"], piped);
    assert_eq!(made.code(), Some(0), "{made:#?}");

    let server = machine.serves();

    let answer = server.visitor().logs_in("root@example.com", "a calm lighthouse keeper");
    assert_eq!(answer.status, 303);
    server.stops();
    let piped = "\u{feff}another calm keeper\n";
    let changed = machine.runs_with(&["changepassword", "root@example.com"], piped);
    assert_eq!(changed.code(), Some(0), "{changed:#?}");
    let server = machine.serves();
    assert_eq!(server.visitor().logs_in("root@example.com", "another calm keeper").status, 303);
    server.stops();
}

#[test]
fn a_port_in_use_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = other.local_addr().expect("an address").port().to_string();
    in_both_languages(|machine, korean| {
        let said = machine.with("ROCKET_PORT", &port).runs(&["serve"]);

        assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
        let complaint = said.complaint();
        assert!(complaint.contains(&port) && complaint.contains("ROCKET_PORT"), "{complaint}");
        assert_eq!(is_korean(complaint), korean, "{complaint}");
    });
}

#[test]
fn an_address_of_another_machine_cannot_be_listened_on() {
    let machine = Machine::new().with("ROCKET_ADDRESS", "192.0.2.77").with("ROCKET_PORT", 8123);

    let said = machine.runs(&["serve"]);

    assert_eq!(said.code(), Some(1));
    assert!(said.complaint().contains("8123"), "{said:#?}");
}

#[test]
fn a_machine_that_dies_while_it_writes_its_secret_can_start_again() {
    let machine = Machine::new();
    let mut command = machine.command("sh");
    // Files may grow to nothing, so the first byte that is written is the last thing that happens.
    let script = "ulimit -f 0; exec \"$1\" migrate";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_daemun")]);

    let died = Running::new(command).ends(PATIENCE);

    assert!(!died.status.success(), "{died:#?}");
    let again = machine.runs(&["migrate"]);
    assert_eq!(again.code(), Some(0), "{again:#?}");
}

#[test]
fn a_disk_that_is_full_at_the_first_start_leaves_nothing_broken_behind() {
    let Some(disk) = Disk::of("256k") else { return };
    let machine = Machine::new().with("ROCKET_DATA_DIR", disk.path().join("data").display());
    disk.fill();

    let said = machine.runs(&["migrate"]);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.complaint().contains("data"), "{said:#?}");
    disk.make_room();
    let again = machine.runs(&["migrate"]);
    assert_eq!(again.code(), Some(0), "{again:#?}");
}

#[test]
fn programs_that_start_at_once_in_an_empty_folder_agree() {
    for round in 0..6 {
        let machine = Machine::new();
        let running: Vec<_> = (0..6).map(|_| machine.starts(&["migrate"])).collect();

        let said: Vec<Said> = running.into_iter().map(|it| it.ends(PATIENCE)).collect();

        assert!(said.iter().all(|said| said.code() == Some(0)), "round {round}: {said:#?}");
        let keys = ask(&machine.database(), "SELECT id FROM signing_keys");
        assert_eq!(keys.len(), 1, "one signing key");
    }
}

#[test]
fn what_the_program_keeps_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::new();
    assert_eq!(machine.runs(&["migrate"]).code(), Some(0));

    for file in ["data/secret_key", "data/daemun.db"] {
        let others = 0o077;
        let mode = std::fs::metadata(machine.path(file)).expect(file).permissions().mode();
        let folder =
            std::fs::metadata(machine.path("data")).expect("a folder").permissions().mode();
        let is_private = mode & others == 0 || folder & others == 0;
        assert!(is_private, "{file}: {mode:o} in {folder:o}");
    }
}

// Tables.

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

// Superusers and passwords.

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

// The checkup.

#[test]
fn a_fresh_folder_passes_the_checkup_with_a_note() {
    for (language, note, good) in [
        (ENGLISH, "Note: data/daemun.db is not there yet", "Nothing is unsafe or broken."),
        (KOREAN, "참고: data/daemun.db", "잘못된 곳이 없습니다."),
    ] {
        let machine = Machine::new().with("LANG", language);

        let said = machine.runs(&["check"]);

        assert_eq!((said.code(), said.errors.as_str()), (Some(0), ""), "{said:#?}");
        assert!(said.output.contains(note) && said.output.contains(good), "{said:#?}");
        assert!(!machine.path("data").exists(), "looking makes nothing");
    }
}

#[test]
fn a_site_without_a_superuser_passes_the_checkup_with_a_note() {
    let machine = Machine::new();
    assert_eq!(machine.runs(&["migrate"]).code(), Some(0));

    let said = machine.runs(&["check"]);

    assert_eq!((said.code(), said.errors.as_str()), (Some(0), ""), "{said:#?}");
    assert!(said.output.contains("Note: there is no superuser yet"), "{said:#?}");
    let made = machine.runs_with(&["createsuperuser", "--email", "root@example.com"], GOOD);
    assert_eq!(made.code(), Some(0), "{made:#?}");
    assert!(!machine.runs(&["check"]).output.contains("Note"));
}

#[test]
fn what_is_unsafe_does_not_pass_the_checkup() {
    let secret = "0123456789abcdef".repeat(4);
    for (settings, english, korean) in [
        (&[("PASSWORD_HASH", "m=8,t=1,p=1")][..], "m=8,t=1,p=1, which is cheaper", "m=8,t=1,p=1"),
        (
            &[("PUBLIC_URL", "http://gate.example"), ("ALLOW_HTTP", "true")],
            "public_url is http",
            "public_url이 http입니다",
        ),
        (&[("ADDRESS", "0.0.0.0")], "leads to this machine only", "이 컴퓨터만 가리킵니다"),
        (&[("PUBLIC_URL", "https://gate.example")], "Set trusted_proxies", "trusted_proxies에"),
        (
            &[("PUBLIC_URL", "https://gate.example"), ("TRUSTED_PROXIES", "0.0.0.0/0")],
            "trusted_proxies names every address",
            "trusted_proxies에 모든 주소",
        ),
    ] {
        for (language, sentence) in [(ENGLISH, english), (KOREAN, korean)] {
            let machine = Machine::new().with("LANG", language).with("ROCKET_SECRET_KEY", &secret);
            let machine = settings.iter().fold(machine, |machine, (name, value)| {
                machine.with(&format!("ROCKET_{name}"), value)
            });

            let said = machine.runs(&["check"]);

            assert_eq!(said.code(), Some(1), "{said:#?}");
            assert!(said.complaint().contains(sentence), "{sentence} in {said:#?}");
            assert!(!said.output.contains(&secret) && !said.errors.contains(&secret), "{said:#?}");
        }
    }
}

#[test]
fn a_proxy_that_is_trusted_passes_the_checkup() {
    let machine = Machine::new()
        .with("ROCKET_PUBLIC_URL", "https://gate.example")
        .with("ROCKET_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]");

    assert_eq!(machine.runs(&["check"]).code(), Some(0));
}

#[test]
fn a_secret_that_others_can_read_does_not_pass_the_checkup() {
    use std::os::unix::fs::PermissionsExt as _;
    for (language, sentence) in [(ENGLISH, "chmod 600 data/secret_key"), (KOREAN, "chmod 600")] {
        let machine = Machine::new().with("LANG", language);
        assert_eq!(machine.runs(&["migrate"]).code(), Some(0));
        let file = machine.path("data/secret_key");
        let secret = std::fs::read_to_string(&file).expect("generated");
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&file, readable).expect("it is ours");

        let said = machine.runs(&["check"]);

        assert_eq!(said.code(), Some(1), "{said:#?}");
        assert!(said.complaint().contains(sentence), "{said:#?}");
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
fn nothing_starts_with_a_secret_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    for (language, sentence) in [(ENGLISH, "can be read by other users"), (KOREAN, "chmod 600")] {
        let machine = Machine::new().in_a_hurry().with("LANG", language);
        assert_eq!(machine.runs(&["migrate"]).code(), Some(0));
        let file = machine.path("data/secret_key");
        gives_away(&file);
        for command in [&["migrate"][..], &["keys", "list"]] {
            let said = machine.runs(command);
            assert_eq!(said.code(), Some(1), "{said:#?}");
            assert!(said.complaint().contains(sentence), "{said:#?}");
            assert!(said.complaint().contains("chmod 600 data/secret_key"), "{said:#?}");
        }
        let said = machine.starts_serving().gets_ready().err().expect("it does not start");
        assert!(said.complaint().contains(sentence), "{said:#?}");
        for mode in [0o600, 0o640, 0o400] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, mode).expect("it is ours");
            assert_eq!(machine.runs(&["migrate"]).code(), Some(0));
        }
    }
}

#[test]
fn nothing_starts_with_a_secret_in_a_settings_file_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let secret = "0123456789abcdef".repeat(4);
    for (setting, is_secret) in [
        (format!("secret_key = \"{secret}\""), true),
        ("mail_url = \"smtps://ada:sesame@relay.example\"".into(), true),
        ("signup = \"closed\"".into(), false),
    ] {
        let machine = Machine::new().in_a_hurry();
        machine.write("Rocket.toml", format!("[default]\n{setting}\n"));
        let file = machine.path("Rocket.toml");
        gives_away(&file);

        let said = machine.runs(&["migrate"]);

        assert_eq!(said.code(), Some(i32::from(is_secret)), "{setting}: {said:#?}");
        if is_secret {
            assert!(said.complaint().contains("Rocket.toml can be read by"), "{said:#?}");
            assert!(!said.errors.contains(&secret) && !said.errors.contains("sesame"));
            assert!(!machine.path("data").exists(), "before anything else is done");
            let check = machine.runs(&["check"]);
            assert!(check.errors.contains("Rocket.toml can be read by"), "{check:#?}");
        }
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, private).expect("it is ours");
        assert_eq!(machine.runs(&["migrate"]).code(), Some(0), "{setting}");
    }
}

#[test]
fn another_secret_key_does_not_pass_the_checkup_and_does_not_serve() {
    let machine = Machine::new();
    assert_eq!(machine.runs(&["migrate"]).code(), Some(0));
    let machine = machine.with("ROCKET_SECRET_KEY", "0123456789abcdef".repeat(4));

    let check = machine.runs(&["check"]);
    let serve = machine.runs(&["serve"]);

    assert_eq!((check.code(), serve.code()), (Some(1), Some(1)));
    assert!(check.complaint().contains("secret_key"), "{check:#?}");
    assert!(serve.complaint().contains("secret_key"), "{serve:#?}");
}

// Serving.

/// The path of the one-time link that was printed.
fn link(output: &str) -> Option<String> {
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
        let opened = root.get(&path);
        let page = opened.header("location").unwrap_or_else(|| panic!("{}", server.log()));
        assert_eq!((opened.status, root.get(page).status), (303, 200), "{}", server.log());
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

/// People come and go; the log of all that, and everything that must not be in it.
fn log_of_a_day(machine: &Machine) -> (Said, Vec<String>) {
    let server = machine.serves();
    let mut secrets = vec!["marker.ada".to_owned(), "marker.eve".into(), GOOD.to_owned()];
    secrets.extend([GOOD.replace(' ', "+"), "an utterly wrong password".into()]);
    let mut ada = server.visitor().with("User-Agent", "Marker/1.0");
    assert_eq!(ada.joins("marker.ada@example.com", GOOD).status, 303);
    secrets.extend(ada.cookies.values().cloned());
    secrets.push(ada.token());
    assert_eq!(ada.submits("/account/logout", &[]).status, 303);
    assert_eq!(ada.logs_in("marker.ada@example.com", "an utterly wrong password").status, 422);
    assert_eq!(ada.logs_in("marker.eve@example.com", GOOD).status, 422);
    assert_eq!(ada.logs_in("marker.ada@example.com", GOOD).status, 303);
    secrets.extend(ada.cookies.values().cloned());
    assert_eq!(server.visitor().joins("marker.ada@example.com", GOOD).status, 422);
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
fn a_log_for_machines_is_json_line_by_line() {
    let machine = Machine::new().in_a_hurry().with("ROCKET_LOG_FORMAT", "json");

    let (said, secrets) = log_of_a_day(&machine);

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
fn a_log_for_people_is_text_without_secrets() {
    let (said, secrets) = log_of_a_day(&Machine::new().in_a_hurry());

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
fn a_log_of_everything_holds_no_secrets_either() {
    let machine = Machine::new().in_a_hurry().with("ROCKET_LOG_LEVEL", "debug");

    let (said, secrets) = log_of_a_day(&machine);

    assert!(said.errors.contains("signed up"), "{}", said.errors);
    let printed = said.output.lines().filter(|line| !line.trim().starts_with("http://localhost:"));
    let lines: Vec<_> = said.errors.lines().chain(printed).collect();
    for secret in &secrets {
        let line = lines.iter().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "{secret}");
    }
}

#[test]
fn a_log_that_is_off_is_empty() {
    let (said, _) = log_of_a_day(&Machine::new().in_a_hurry().with("ROCKET_LOG_LEVEL", "off"));

    assert_eq!(said.errors, "");
}
