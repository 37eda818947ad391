//! What the settings name and the machine does not have: files, folders, ports, databases.

use std::time::Duration;

use crate::ops::cli::{ENGLISH, in_both_languages, is_korean};
use crate::support::process::{
    CommandOutput, Disk, PATIENCE, RunningCommand, Sandbox, ask, free_port, postgres,
};
use crate::support::requirement::Requirement;

/// What is missing is named, whatever is started; and the check finds nothing else.
fn cannot_open(settings: &[(&str, &str)], prepare: impl Fn(&Sandbox), culprit: &str) {
    in_both_languages(|sandbox, korean| {
        prepare(sandbox);
        let sandbox =
            sandbox.with("ROCKET_PORT", 0).with("ROCKET_PASSWORD_HASH", "m=19456,t=2,p=1");
        let sandbox =
            settings.iter().fold(sandbox, |sandbox, (name, value)| sandbox.with(name, value));
        for command in ["serve", "migrate"] {
            let said = sandbox.runs(&[command]);

            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            let line = said.error_line();
            assert!(line.contains(culprit), "{culprit} in {line}");
            assert_eq!(is_korean(line), korean, "{line}");
        }
        let check = sandbox.runs(&["check"]);
        assert_eq!(check.code(), Some(1), "what does not start does not pass: {check:#?}");
        assert!(check.error_line().contains(culprit.trim_start_matches("sqlite://")), "{check:#?}");
    });
}

#[test]
fn a_database_in_an_impossible_folder_does_not_open() {
    let settings = [("ROCKET_DATABASE_URL", "sqlite://plain/below/daemun.db")];
    cannot_open(&settings, |sandbox| sandbox.write("plain", "a file"), "sqlite://plain/below");
}

#[test]
fn a_file_that_is_no_database_does_not_open() {
    let noise: Vec<u8> = (0..8192_u32).map(|byte| (byte * 31 % 251) as u8).collect();
    let settings = [("ROCKET_DATABASE_URL", "sqlite://noise.db")];
    cannot_open(&settings, |sandbox| sandbox.write("noise.db", &noise), "sqlite://noise.db");
}

#[test]
fn a_folder_is_not_a_database() {
    let settings = [("ROCKET_DATABASE_URL", "sqlite://folder")];
    cannot_open(&settings, |sandbox| sandbox.write("folder/x", ""), "sqlite://folder");
}

#[test]
fn a_data_folder_that_cannot_be_created_is_named() {
    let settings = [("ROCKET_DATA_DIR", "plain/data")];
    cannot_open(&settings, |sandbox| sandbox.write("plain", "a file"), "plain/data");
}

#[test]
fn a_read_only_data_folder_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    if !Requirement::OrdinaryUser.is_met() {
        return;
    }
    let forbid = |sandbox: &Sandbox| {
        sandbox.write("data/x", "");
        let readable = std::fs::Permissions::from_mode(0o555);
        std::fs::set_permissions(sandbox.path("data"), readable).expect("it is ours");
    };
    cannot_open(&[], forbid, "data");
}

#[test]
fn a_malformed_secret_file_is_named_and_not_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    for rubbish in [&b"open sesame"[..], b"", &[0xff; 40]] {
        let prepare = |sandbox: &Sandbox| {
            sandbox.write("data/secret_key", rubbish);
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(sandbox.path("data/secret_key"), private).expect("ours");
        };
        cannot_open(&[], prepare, "data/secret_key");
    }
    let sandbox = Sandbox::new();
    sandbox.write("data/secret_key", "open sesame");
    assert!(!sandbox.runs(&["serve"]).errors.contains("sesame"));
}

#[test]
fn an_unreachable_postgres_fails_fast_without_its_password() {
    for query in ["", "?password=sesame"] {
        let port = free_port();
        let url = format!("postgres://ada:sesame@127.0.0.1:{port}/daemun{query}");
        in_both_languages(|sandbox, korean| {
            let said = sandbox.with("ROCKET_DATABASE_URL", &url).runs(&["migrate"]);

            assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
            let line = said.error_line();
            assert!(line.contains("postgres://ada:***@127.0.0.1"), "{line}");
            assert!(!said.errors.contains("sesame"), "{line}");
            assert_eq!(is_korean(line), korean, "{line}");
            assert!(said.took < Duration::from_secs(20), "{:?}", said.took);
        });
    }
}

#[test]
fn check_reports_why_postgres_is_unreachable() {
    let port = free_port();
    let url = format!("postgres://ada:sesame@127.0.0.1:{port}/daemun");
    for secret in [None, Some("0123456789abcdef".repeat(4))] {
        let mut sandbox = Sandbox::new().with("LANG", ENGLISH).with("ROCKET_DATABASE_URL", &url);
        if let Some(secret) = &secret {
            sandbox = sandbox.with("ROCKET_SECRET_KEY", secret);
        }
        for command in ["check", "serve"] {
            let said = sandbox.runs(&[command]);

            assert_eq!(said.code(), Some(1), "{command}: {said:#?}");
            let away = format!(
                "The database postgres://ada:***@127.0.0.1:{port}/daemun can't be opened: "
            );
            let line = said.error_lines().into_iter().find(|line| line.starts_with(&away));
            let line = line.unwrap_or_else(|| panic!("{command}: {said:#?}"));
            assert!(line.contains("refused") && !line.contains("pool"), "{line}");
            assert!(!said.output.contains("Nothing"), "{said:#?}");
            assert!(command == "serve" || !sandbox.path("data").exists(), "a check makes nothing");
        }
    }
}

#[test]
fn check_in_an_empty_folder_tests_postgres() {
    let Some(url) = postgres() else { return };
    let sandbox = Sandbox::new().with("LANG", ENGLISH).with("ROCKET_DATABASE_URL", &url);

    let said = sandbox.runs(&["check"]);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(said.output.contains("daemun migrate"), "the tables are not there yet: {said:#?}");
    assert!(!sandbox.path("data").exists(), "a check makes nothing");
}

#[test]
fn a_byte_order_mark_is_not_part_of_a_piped_password() {
    let sandbox = Sandbox::new().with_cheap_hashing();
    let piped = "\u{feff}a calm lighthouse keeper\r\n";
    let made = sandbox.runs_with(&["createsuperuser", "--email", "root@example.com"], piped);
    assert_eq!(made.code(), Some(0), "{made:#?}");

    let server = sandbox.serves();

    let answer = server.visitor().logs_in("root@example.com", "a calm lighthouse keeper");
    assert_eq!(answer.status, 303);
    server.stops();
    let piped = "\u{feff}another calm keeper\n";
    let changed = sandbox.runs_with(&["changepassword", "root@example.com"], piped);
    assert_eq!(changed.code(), Some(0), "{changed:#?}");
    let server = sandbox.serves();
    assert_eq!(server.visitor().logs_in("root@example.com", "another calm keeper").status, 303);
    server.stops();
}

#[test]
fn a_port_in_use_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = other.local_addr().expect("an address").port().to_string();
    in_both_languages(|sandbox, korean| {
        let said = sandbox.with("ROCKET_PORT", &port).runs(&["serve"]);

        assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
        let line = said.error_line();
        assert!(line.contains(&port) && line.contains("ROCKET_PORT"), "{line}");
        assert_eq!(is_korean(line), korean, "{line}");
    });
}

#[test]
fn a_foreign_address_cannot_be_listened_on() {
    let sandbox = Sandbox::new().with("ROCKET_ADDRESS", "192.0.2.77").with("ROCKET_PORT", 8123);

    let said = sandbox.runs(&["serve"]);

    assert_eq!(said.code(), Some(1));
    assert!(said.error_line().contains("8123"), "{said:#?}");
}

#[test]
fn a_crash_while_writing_the_secret_can_be_repeated() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("sh");
    // Files may grow to nothing, so the first byte that is written is the last thing that happens.
    let script = "ulimit -f 0; exec \"$1\" migrate";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_daemun")]);

    let died = RunningCommand::new(command).ends(PATIENCE);

    assert!(!died.status.success(), "{died:#?}");
    let again = sandbox.runs(&["migrate"]);
    assert_eq!(again.code(), Some(0), "{again:#?}");
}

#[test]
fn a_full_disk_at_the_first_start_leaves_nothing_broken() {
    let Some(disk) = Disk::of("256k") else { return };
    let sandbox = Sandbox::new().with("ROCKET_DATA_DIR", disk.path().join("data").display());
    disk.fill();

    let said = sandbox.runs(&["migrate"]);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.error_line().contains("data"), "{said:#?}");
    disk.make_room();
    let again = sandbox.runs(&["migrate"]);
    assert_eq!(again.code(), Some(0), "{again:#?}");
}

#[test]
fn programs_starting_at_once_in_an_empty_folder_agree() {
    for round in 0..6 {
        let sandbox = Sandbox::new();
        let running: Vec<_> = (0..6).map(|_| sandbox.starts(&["migrate"])).collect();

        let said: Vec<CommandOutput> = running.into_iter().map(|it| it.ends(PATIENCE)).collect();

        assert!(said.iter().all(|said| said.code() == Some(0)), "round {round}: {said:#?}");
        let keys = ask(&sandbox.database(), "SELECT id FROM signing_keys");
        assert_eq!(keys.len(), 1, "one signing key");
    }
}

#[test]
fn created_files_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.runs(&["migrate"]).code(), Some(0));

    for file in ["data/secret_key", "data/daemun.db"] {
        let others = 0o077;
        let mode = std::fs::metadata(sandbox.path(file)).expect(file).permissions().mode();
        let folder =
            std::fs::metadata(sandbox.path("data")).expect("a folder").permissions().mode();
        let is_private = mode & others == 0 || folder & others == 0;
        assert!(is_private, "{file}: {mode:o} in {folder:o}");
    }
}
