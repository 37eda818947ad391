//! What the settings name and the machine does not have: files, folders, ports, databases.

use std::time::Duration;

use crate::ops::cli::{ENGLISH, in_both_languages, is_korean};
use crate::support::process::{Disk, Machine, PATIENCE, Running, Said, ask, free_port, postgres};
use crate::support::requirement::Requirement;

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
