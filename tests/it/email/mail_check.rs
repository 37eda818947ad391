//! `daemun check` tries the mail settings, with the real program and a real list of trusted certificates.

use mail_parser::MessageParser;

use crate::support::process::{CommandOutput, Sandbox, free_port};
use crate::support::smtp::{CertificateAuthority, SmtpBehaviour, SmtpServer};

fn machine(smtp: &SmtpServer, url: &str) -> Sandbox {
    let url = url.replace("PORT", &smtp.port.to_string());
    Sandbox::new()
        .with("LANG", "C.UTF-8")
        .with("ROCKET_MAIL_URL", url)
        .with("ROCKET_MAIL_FROM", "Gate <no-reply@gate.example>")
}

/// A sandbox that trusts one certificate authority only.
fn trusting(sandbox: &Sandbox, authority: &CertificateAuthority) -> Sandbox {
    sandbox.write("trusted.pem", authority.pem());
    sandbox.with("SSL_CERT_FILE", sandbox.path("trusted.pem").display())
}

fn tries_mail(sandbox: &Sandbox) -> CommandOutput {
    sandbox.runs(&["check", "--mail", "ada@example.com"])
}

#[test]
fn the_operator_can_test_mail_over_starttls() {
    let authority = CertificateAuthority::new();
    let certificate = Some(authority.issue("localhost"));
    let smtp = SmtpServer::start(SmtpBehaviour { certificate, ..SmtpBehaviour::default() });
    let sandbox = trusting(&machine(&smtp, "smtp://localhost:PORT"), &authority);

    let said = tries_mail(&sandbox);

    let destination = format!("smtp://localhost:{}", smtp.port);
    let line = format!("The test email to ada@example.com was handed over to {destination}.\n");
    assert_eq!((said.code(), said.output.as_str()), (Some(0), line.as_str()), "{said:#?}");
    let [email] = &smtp.accepted()[..] else { panic!("one e-mail") };
    assert!(email.was_encrypted);
    assert!(String::from_utf8_lossy(&email.message).contains("Subject: Daemun: test email"));
}

#[test]
fn the_test_email_is_in_the_terminals_language() {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let sandbox = machine(&smtp, "smtp://localhost:PORT").with("LANG", "ko_KR.UTF-8");

    let said = tries_mail(&sandbox);

    assert!(said.output.starts_with("ada@example.com 주소로 보내는 테스트 메일을"), "{said:#?}");
    let message = smtp.accepted()[0].message.clone();
    let message = MessageParser::default().parse(&message).expect("a message").into_owned();
    assert_eq!(message.subject(), Some("[대문] 테스트 메일"));
}

#[test]
fn a_server_with_implicit_tls_and_password_works() {
    let authority = CertificateAuthority::new();
    let smtp = SmtpServer::start(SmtpBehaviour {
        certificate: Some(authority.issue("127.0.0.1")),
        tls_at_once: true,
        login: Some(("ada@example.com", "open/sesame 1%")),
        ..SmtpBehaviour::default()
    });
    let url = "smtps://ada%40example.com:open%2Fsesame%201%25@127.0.0.1:PORT";
    let sandbox = trusting(&machine(&smtp, url), &authority);

    let said = tries_mail(&sandbox);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    let email = &smtp.accepted()[0];
    assert!(email.was_encrypted && email.was_logged_in);
}

#[test]
fn a_wrong_password_is_reported_without_it() {
    let authority = CertificateAuthority::new();
    let smtp = SmtpServer::start(SmtpBehaviour {
        certificate: Some(authority.issue("localhost")),
        login: Some(("ada", "sesame")),
        ..SmtpBehaviour::default()
    });
    let sandbox = trusting(&machine(&smtp, "smtp://ada:simsalabim@localhost:PORT"), &authority);

    let said = tries_mail(&sandbox);

    assert_eq!((said.code(), said.output.as_str()), (Some(1), ""), "{said:#?}");
    let why = format!("smtp://localhost:{}: logging in: 535 5.7.8 wrong password", smtp.port);
    assert_eq!(said.error_line(), format!("The test email was not sent: {why}"));
    assert_eq!(smtp.accepted().len(), 0);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = CertificateAuthority::new();
    let certificate = Some(authority.issue("post.example"));
    let smtp = SmtpServer::start(SmtpBehaviour { certificate, ..SmtpBehaviour::default() });
    let sandbox = trusting(&machine(&smtp, "smtp://localhost:PORT"), &authority);

    let said = tries_mail(&sandbox);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.error_line().contains("certificate"), "{said:#?}");
    assert_eq!(smtp.accepted().len(), 0);
}

#[test]
fn an_invalid_address_is_reported_in_one_line() {
    for (language, wrong) in
        [("C.UTF-8", "is not an email address"), ("ko_KR.UTF-8", "이메일 주소가 아닙니다")]
    {
        let sandbox = Sandbox::new().with("LANG", language);
        for address in ["ada", "", "ada@example.com\nBcc: eve@example.com"] {
            let said = sandbox.runs(&["check", "--mail", address]);

            assert_eq!((said.code(), said.output.as_str()), (Some(2), ""), "{said:#?}");
            assert!(said.error_line().contains(wrong), "{said:#?}");
        }
        let said = sandbox.runs(&["check", "--mail"]);
        assert_eq!(said.code(), Some(2), "{said:#?}");
        assert!(said.error_line().contains("--mail"), "{said:#?}");
    }
}

#[test]
fn without_a_mail_server_the_test_email_is_a_file() {
    let sandbox = Sandbox::new().with("LANG", "C.UTF-8");

    let said = tries_mail(&sandbox);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(said.output.ends_with("was handed over to data/mail.\n"), "{said:#?}");
    let files: Vec<_> = std::fs::read_dir(sandbox.path("data/mail")).expect("a folder").collect();
    assert_eq!(files.len(), 1);
}

#[test]
fn an_unusable_folder_is_reported_in_one_line() {
    let sandbox = Sandbox::new().with("LANG", "C.UTF-8");
    sandbox.write("data", "a file");

    let said = tries_mail(&sandbox);

    assert_eq!(said.code(), Some(1), "{said:#?}");
    let line = said.error_line();
    assert!(line.starts_with("The test email was not sent: data/mail: "), "{line}");
}

#[test]
fn wrong_mail_settings_are_found() {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let closed = free_port().to_string();
    for (url, from, findings) in [
        ("smtp://localhost:PORT", "no-reply@gate.example", &[][..]),
        ("smtp://localhost:CLOSED", "no-reply@gate.example", &["The mail server can't be used: "]),
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
                "The mail server can't be used: smtp://0.0.0.0:",
            ],
        ),
    ] {
        let sandbox = machine(&smtp, &url.replace("CLOSED", &closed)).with_cheap_hashing();
        let sandbox =
            sandbox.with("ROCKET_MAIL_FROM", from).with("ROCKET_PASSWORD_HASH", "m=19456,t=2,p=1");

        let said = sandbox.runs(&["check"]);

        let lines = said.error_lines();
        assert_eq!(lines.len(), findings.len(), "{said:#?}");
        for (line, begins) in lines.iter().zip(findings) {
            assert!(line.starts_with(begins), "{begins}: {line}");
        }
        assert_eq!(said.code(), Some(i32::from(!findings.is_empty())), "{said:#?}");
    }
    assert_eq!(smtp.accepted().len(), 0, "a check sends nothing");
}

#[test]
fn a_public_site_without_mail_server_is_warned() {
    let site = Sandbox::new()
        .with("LANG", "C.UTF-8")
        .with("ROCKET_PUBLIC_URL", "https://gate.example")
        .with("ROCKET_TRUSTED_PROXIES", "127.0.0.1/32");

    let said = site.runs(&["check"]);

    assert_eq!(said.code(), Some(0), "{said:#?}");
    let note = "Note: there is no mail server, so emails are only written to files in data/mail";
    assert!(said.output.contains(note), "{said:#?}");
    assert!(!site.path("data").exists(), "a check makes nothing");
    let at_home = Sandbox::new().with("LANG", "C.UTF-8").runs(&["check"]);
    assert!(!at_home.output.contains("mail"), "{at_home:#?}");
}
