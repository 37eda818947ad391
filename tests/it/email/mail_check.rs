//! `daemun check` tries the mail settings, with the real program and a real list of trusted certificates.

use mail_parser::MessageParser;

use crate::support::process::{Machine, Said, free_port};
use crate::support::smtp::{Authority, Manners, PostOffice};

fn machine(office: &PostOffice, url: &str) -> Machine {
    let url = url.replace("PORT", &office.port.to_string());
    Machine::new()
        .with("LANG", "C.UTF-8")
        .with("ROCKET_MAIL_URL", url)
        .with("ROCKET_MAIL_FROM", "Gate <no-reply@gate.example>")
}

/// A machine that trusts an authority, and nobody else.
fn trusting(machine: &Machine, authority: &Authority) -> Machine {
    machine.write("trusted.pem", authority.pem());
    machine.with("SSL_CERT_FILE", machine.path("trusted.pem").display())
}

fn tries_mail(machine: &Machine) -> Said {
    machine.runs(&["check", "--mail", "ada@example.com"])
}

#[test]
fn whoever_runs_the_machine_can_try_the_mail_over_starttls() {
    let authority = Authority::new();
    let certificate = Some(authority.certifies("localhost"));
    let office = PostOffice::opens(Manners { certificate, ..Manners::default() });
    let machine = trusting(&machine(&office, "smtp://localhost:PORT"), &authority);

    let said = tries_mail(&machine);

    let whereto = format!("smtp://localhost:{}", office.port);
    let line = format!("The test email to ada@example.com was handed over to {whereto}.\n");
    assert_eq!((said.code(), said.output.as_str()), (Some(0), line.as_str()), "{said:#?}");
    let [letter] = &office.taken()[..] else { panic!("one letter") };
    assert!(letter.was_encrypted);
    assert!(String::from_utf8_lossy(&letter.message).contains("Subject: Daemun: test email"));
}

#[test]
fn the_test_letter_is_written_in_the_terminals_language() {
    let office = PostOffice::opens(Manners::default());
    let machine = machine(&office, "smtp://localhost:PORT").with("LANG", "ko_KR.UTF-8");

    let said = tries_mail(&machine);

    assert!(said.output.starts_with("ada@example.com 주소로 보내는 시험 메일을"), "{said:#?}");
    let message = office.taken()[0].message.clone();
    let message = MessageParser::default().parse(&message).expect("a message").into_owned();
    assert_eq!(message.subject(), Some("[대문] 시험 메일"));
}

#[test]
fn a_server_with_tls_from_the_start_lets_in_who_knows_the_password() {
    let authority = Authority::new();
    let office = PostOffice::opens(Manners {
        certificate: Some(authority.certifies("127.0.0.1")),
        tls_at_once: true,
        login: Some(("ada@example.com", "open/sesame 1%")),
        ..Manners::default()
    });
    let url = "smtps://ada%40example.com:open%2Fsesame%201%25@127.0.0.1:PORT";
    let machine = trusting(&machine(&office, url), &authority);

    let said = tries_mail(&machine);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    let letter = &office.taken()[0];
    assert!(letter.was_encrypted && letter.was_logged_in);
}

#[test]
fn a_wrong_password_is_one_line_without_it() {
    let authority = Authority::new();
    let office = PostOffice::opens(Manners {
        certificate: Some(authority.certifies("localhost")),
        login: Some(("ada", "sesame")),
        ..Manners::default()
    });
    let machine = trusting(&machine(&office, "smtp://ada:simsalabim@localhost:PORT"), &authority);

    let said = tries_mail(&machine);

    assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
    let why = format!("smtp://localhost:{}: logging in: 535 5.7.8 wrong password", office.port);
    assert_eq!(said.complaint(), format!("The test email was not sent: {why}"));
    assert_eq!(office.taken().len(), 0);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let certificate = Some(authority.certifies("post.example"));
    let office = PostOffice::opens(Manners { certificate, ..Manners::default() });
    let machine = trusting(&machine(&office, "smtp://localhost:PORT"), &authority);

    let said = tries_mail(&machine);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.complaint().contains("certificate"), "{said:#?}");
    assert_eq!(office.taken().len(), 0);
}

#[test]
fn an_address_that_is_none_is_misunderstood_in_one_line() {
    for (language, wrong) in
        [("C.UTF-8", "is not an email address"), ("ko_KR.UTF-8", "이메일 주소가 아닙니다")]
    {
        let machine = Machine::new().with("LANG", language);
        for address in ["ada", "", "ada@example.com\nBcc: eve@example.com"] {
            let said = machine.runs(&["check", "--mail", address]);

            assert_eq!((said.code(), said.output.as_str()), (Some(2), ""), "{said:#?}");
            assert!(said.complaint().contains(wrong), "{said:#?}");
        }
        let said = machine.runs(&["check", "--mail"]);
        assert_eq!(said.code(), Some(2), "{said:#?}");
        assert!(said.complaint().contains("--mail"), "{said:#?}");
    }
}

#[test]
fn without_a_mail_server_the_test_letter_is_a_file() {
    let machine = Machine::new().with("LANG", "C.UTF-8");

    let said = tries_mail(&machine);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(said.output.ends_with("was handed over to data/mail.\n"), "{said:#?}");
    let files: Vec<_> = std::fs::read_dir(machine.path("data/mail")).expect("a folder").collect();
    assert_eq!(files.len(), 1);
}

#[test]
fn a_folder_that_cannot_be_made_is_one_line() {
    let machine = Machine::new().with("LANG", "C.UTF-8");
    machine.write("data", "a file");

    let said = tries_mail(&machine);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    let complaint = said.complaint();
    assert!(complaint.starts_with("The test email was not sent: data/mail: "), "{complaint}");
}

#[test]
fn the_checkup_finds_what_is_wrong_with_the_mail() {
    let office = PostOffice::opens(Manners::default());
    let closed = free_port().to_string();
    for (url, from, findings) in [
        ("smtp://localhost:PORT", "no-reply@gate.example", &[][..]),
        ("smtp://localhost:CLOSED", "no-reply@gate.example", &["The mail server cannot be used: "]),
        (
            "smtp://0.0.0.0:PORT?tls=none",
            "no-reply@gate.example",
            &["Emails go to smtp://0.0.0.0:"],
        ),
        (
            "smtp://0.0.0.0:PORT",
            "Gate <no-reply@localhost>",
            &[
                "mail_from is Gate <no-reply@localhost>",
                "The mail server cannot be used: smtp://0.0.0.0:",
            ],
        ),
    ] {
        let machine = machine(&office, &url.replace("CLOSED", &closed)).in_a_hurry();
        let machine =
            machine.with("ROCKET_MAIL_FROM", from).with("ROCKET_PASSWORD_HASH", "m=19456,t=2,p=1");

        let said = machine.runs(&["check"]);

        let complaints = said.complaints();
        assert_eq!(complaints.len(), findings.len(), "{said:#?}");
        for (complaint, begins) in complaints.iter().zip(findings) {
            assert!(complaint.starts_with(begins), "{begins}: {complaint}");
        }
        assert_eq!(said.code(), Some(i32::from(!findings.is_empty())), "{said:#?}");
    }
    assert_eq!(office.taken().len(), 0, "a checkup sends nothing");
}

#[test]
fn a_real_site_whose_letters_are_files_is_told_so() {
    let site = Machine::new()
        .with("LANG", "C.UTF-8")
        .with("ROCKET_PUBLIC_URL", "https://gate.example")
        .with("ROCKET_TRUSTED_PROXIES", "127.0.0.1/32");

    let said = site.runs(&["check"]);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    let note = "Note: there is no mail server, so emails are only files in data/mail.";
    assert!(said.output.contains(note), "{said:#?}");
    assert!(!site.path("data").exists(), "a checkup makes nothing");
    let at_home = Machine::new().with("LANG", "C.UTF-8").runs(&["check"]);
    assert!(!at_home.output.contains("mail"), "{at_home:#?}");
}
