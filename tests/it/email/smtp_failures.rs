//! The program and a mail server: e-mails arrive, once, whatever dies in between.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::GOOD;
use crate::support::process::{
    PATIENCE, RemoteBrowser, Sandbox, Server, ask, eventually, free_port,
};
use crate::support::smtp::{AcceptedEmail, CertificateAuthority, SmtpBehaviour, SmtpServer};

/// Much longer than any page takes, much shorter than any timeouts with a mail server.
const SOON: Duration = Duration::from_secs(5);

/// A site whose e-mails go to a server on this port.
fn site(port: u16) -> Sandbox {
    Sandbox::new()
        .with_cheap_hashing()
        .with_a_name()
        .with("ROCKET_MAIL_URL", format!("smtp://localhost:{port}"))
        .with("ROCKET_MAIL_FROM", "Gate <no-reply@gate.example>")
}

fn joins(server: &Server, name: &str) {
    let asked = Instant::now();
    let answer = server.visitor().signs_up(&format!("{name}@example.com"), GOOD);
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(asked.elapsed() < SOON, "nobody waits for an e-mail: {:?}", asked.elapsed());
}

/// Waits until the server has taken so many e-mails.
fn takes(smtp: &SmtpServer, count: usize) -> Vec<AcceptedEmail> {
    let arrive = eventually(PATIENCE, || smtp.accepted().len() >= count);
    assert!(arrive, "{:?}", smtp.commands());
    smtp.accepted()
}

/// Waits until every e-mail is finished, and says how many were sent.
fn finished(database: &str) -> usize {
    let waiting = "SELECT recipient FROM outbox WHERE due_at IS NOT NULL";
    assert!(eventually(PATIENCE, || ask(database, waiting).is_empty()), "e-mails are waiting");
    ask(database, "SELECT recipient FROM outbox WHERE sent_at IS NOT NULL").len()
}

/// Time passes for the e-mails: what is claimed or waits is due.
fn time_passes(database: &str) {
    let sql = "UPDATE outbox SET due_at = 0 WHERE due_at IS NOT NULL RETURNING recipient";
    assert!(!ask(database, sql).is_empty(), "something waits");
}

/// Waits until the server stalls.
fn stalls(smtp: &mut SmtpServer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(PATIENCE, smtp.wait_until_stalled())
            .await
            .expect("an e-mail is on its way");
    });
}

#[test]
fn signing_up_sends_an_email_over_starttls() {
    let authority = CertificateAuthority::new();
    let certificate = Some(authority.issue("localhost"));
    let smtp = SmtpServer::start(SmtpBehaviour { certificate, ..SmtpBehaviour::default() });
    let sandbox = site(smtp.port);
    sandbox.write("trusted.pem", authority.pem());
    let server = sandbox.with("SSL_CERT_FILE", sandbox.path("trusted.pem").display()).serves();

    joins(&server, "ada");

    let contents = takes(&smtp, 1);
    assert_eq!(contents[0].to, ["ada@example.com"]);
    assert!(contents[0].was_encrypted);
    assert_eq!(finished(&sandbox.database()), 1);
    let said = server.stops();
    assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
}

#[test]
fn an_email_interrupted_by_a_kill_is_sent_once() {
    let authority = CertificateAuthority::new();
    let smtp = |stalls_at| {
        let certificate = Some(authority.issue("localhost"));
        SmtpServer::start(SmtpBehaviour { certificate, stalls_at, ..SmtpBehaviour::default() })
    };
    let (mut stalling, kind) = (smtp(Some("DATA")), smtp(None));
    let sandbox = site(stalling.port);
    sandbox.write("trusted.pem", authority.pem());
    let sandbox = sandbox.with("SSL_CERT_FILE", sandbox.path("trusted.pem").display());
    let server = sandbox.serves();
    joins(&server, "ada");
    stalls(&mut stalling);
    server.dies();
    stalling.resume();

    let url = format!("smtp://localhost:{}", kind.port);
    let server = sandbox.with("ROCKET_MAIL_URL", url).serves();
    joins(&server, "bob");
    assert_eq!(takes(&kind, 1)[0].to, ["bob@example.com"], "hers may still be on its way");
    time_passes(&sandbox.database());

    let contents = takes(&kind, 2);
    assert_eq!(contents[1].to, ["ada@example.com"]);
    assert!(contents[1].was_encrypted);
    assert_eq!(finished(&sandbox.database()), 2);
    assert_eq!((kind.accepted().len(), stalling.accepted().len()), (2, 0));
}

#[test]
fn emails_wait_for_a_stopped_mail_server() {
    let port = free_port();
    let sandbox = site(port);
    let server = sandbox.serves();
    joins(&server, "ada");
    let tried = "SELECT recipient FROM outbox WHERE attempts > 0 AND last_error <> ''";
    assert!(eventually(PATIENCE, || !ask(&sandbox.database(), tried).is_empty()), "it is tried");

    let smtp = SmtpServer::start_on_port(port, SmtpBehaviour::default());
    time_passes(&sandbox.database());

    let arrives = eventually(PATIENCE, || !smtp.accepted().is_empty());
    assert!(arrives, "{}", server.log());
    assert_eq!(takes(&smtp, 1)[0].to, ["ada@example.com"]);
    assert_eq!((finished(&sandbox.database()), smtp.accepted().len()), (1, 1));
    assert!(server.log().contains("an e-mail could not be sent yet"), "{}", server.log());
}

#[test]
fn pages_do_not_wait_for_a_silent_mail_server() {
    let mut smtp =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some("hello"), ..SmtpBehaviour::default() });
    let sandbox = site(smtp.port);
    let server = sandbox.serves();
    joins(&server, "ada");
    stalls(&mut smtp);

    joins(&server, "bob");
    for email in ["ada@example.com", "nobody@example.com"] {
        let asked = Instant::now();
        let answer = server.visitor().submits("/account/password/reset", &[("email", email)]);
        assert_eq!(answer.status, 303);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }

    assert_eq!(smtp.accepted().len(), 0);
}

#[test]
fn a_stopping_server_finishes_the_current_email() {
    let mut smtp =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some("."), ..SmtpBehaviour::default() });
    let sandbox = site(smtp.port);
    let server = sandbox.serves();
    joins(&server, "ada");
    stalls(&mut smtp);

    server.send_signal("TERM");
    joins_no_more(&server);
    smtp.resume();

    let said = server.ends();
    assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
    assert_eq!((finished(&sandbox.database()), smtp.accepted().len()), (1, 1));
}

/// Waits until the server has heard that it is to stop.
fn joins_no_more(server: &Server) {
    let has_heard = eventually(SOON, || server.visitor().tries("GET", "/", &[]).is_err());
    assert!(has_heard, "it still lets people in");
}

#[test]
fn a_silent_mail_server_does_not_block_stopping() {
    let mut smtp =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some("DATA"), ..SmtpBehaviour::default() });
    let sandbox = site(smtp.port);
    let server = sandbox.serves();
    joins(&server, "ada");
    stalls(&mut smtp);

    let asked = Instant::now();
    let said = server.stops();

    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert!(!sandbox.path("data/daemun.db-wal").exists(), "the database was closed");
    let kind = SmtpServer::start(SmtpBehaviour::default());
    let url = format!("smtp://localhost:{}", kind.port);
    let _server = sandbox.with("ROCKET_MAIL_URL", url).serves();
    time_passes(&sandbox.database());
    assert_eq!(takes(&kind, 1)[0].to, ["ada@example.com"], "it comes later");
    assert_eq!((finished(&sandbox.database()), smtp.accepted().len()), (1, 0));
}

// E-mails as files.

/// Signs up one user after the other, each from a client address of their own, until the server is
/// gone; returns those that the server acknowledged.
fn join_until_it_dies(server: &RemoteBrowser, round: u32) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut stranger = server.clone();
    let Ok(page) = stranger.tries("GET", "/", &[]) else { return acknowledged };
    let token = page.token().expect("every page has a form");
    for number in 0..250 {
        let email = format!("r{round}n{number}@example.com");
        let fields =
            [("csrf", token.as_str()), ("email", &email), ("password1", GOOD), ("password2", GOOD)];
        let mut stranger =
            stranger.clone().with("X-Forwarded-For", &format!("10.1.{round}.{number}"));
        match stranger.tries("POST", "/account/join", &fields) {
            Ok(answer) if answer.status == 303 => acknowledged.push(email),
            Ok(answer) => panic!("{}: {}", answer.status, answer.text),
            Err(_) => break,
        }
    }
    acknowledged
}

#[test]
fn every_new_user_gets_one_email_despite_kills() {
    let sandbox = Sandbox::new().with_cheap_hashing().with_a_name();
    let sandbox = sandbox.with("ROCKET_TRUSTED_PROXIES", "127.0.0.1");
    let mut acknowledged = Vec::new();
    for round in 0..8 {
        let server = sandbox.serves();
        let (stranger, killed) = (server.visitor(), mpsc::channel::<()>());
        let crowd = thread::spawn(move || join_until_it_dies(&stranger, round));
        // E-mails leave every second; the moment around that is what this story is about.
        let moment = Duration::from_millis(950 + 30 * u64::from(round));
        let _ = killed.1.recv_timeout(moment);
        server.dies();
        acknowledged.extend(crowd.join().expect("no panic"));
    }

    let database = sandbox.database();
    let server = sandbox.serves();
    if !ask(&database, "SELECT recipient FROM outbox WHERE due_at IS NOT NULL").is_empty() {
        time_passes(&database);
    }
    finished(&database);

    let mut contents: BTreeMap<String, u32> = BTreeMap::new();
    for file in std::fs::read_dir(sandbox.path("data/mail")).expect("a folder") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|it| it == "eml") {
            let bytes = std::fs::read(path).expect("an e-mail");
            let message = mail_parser::MessageParser::default().parse(&bytes).expect("whole");
            let to = message.to().and_then(|to| to.first()?.address()).expect("an address");
            *contents.entry(to.to_owned()).or_default() += 1;
        }
    }
    assert!(acknowledged.len() > 8, "they joined at all: {}", acknowledged.len());
    for email in &acknowledged {
        assert_eq!(contents.get(email), Some(&1), "{email} of {}", acknowledged.len());
    }
    let twice: Vec<_> = contents.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    drop(server);
}
