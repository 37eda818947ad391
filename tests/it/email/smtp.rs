//! Sending e-mails by SMTP, also to a mail server that refuses, stalls or lies.

use std::time::Duration;

use daemun::testing::config::Settings;
use daemun::testing::i18n::Language;
use daemun::testing::mail::{EmailContent, EmailKind, Envelope, Mailer, SendError, Timeouts};
use daemun::testing::types::{Email, Secret};
use mail_parser::MessageParser;
use time::macros::datetime;
use tokio::time::Instant;

use crate::support::process::free_port;
use crate::support::smtp::{CertificateAuthority, SmtpBehaviour, SmtpServer};

fn mailer(url: &str) -> Mailer {
    let figment = rocket::Config::figment()
        .merge(("public_url", "https://gate.example"))
        .merge(("mail_url", url))
        .merge(("mail_from", "Gate <no-reply@gate.example>"));
    Mailer::open(&Settings::from_figment(&figment).expect("settings")).expect("a mailer")
}

fn mailer_of(smtp: &SmtpServer) -> Mailer {
    mailer(&format!("smtp://localhost:{}", smtp.port))
}

async fn send(mailer: &Mailer, id: &str, to: &str) -> Result<(), SendError> {
    let to = Email::parse(to).expect("an address");
    let written_at = datetime!(2026-03-01 12:00 UTC);
    let envelope = Envelope { id, to: &to, language: Language::Korean, written_at };
    let content =
        EmailContent::new(EmailKind::ResetPassword).with_link(Secret::new("token".into()));
    mailer.send(&envelope, &content).await
}

/// What becomes of an e-mail when one reply is another than usual.
async fn fate(command: &'static str, reply: &'static str) -> Result<(), SendError> {
    let smtp = SmtpServer::start(SmtpBehaviour {
        replies: vec![(command, reply)],
        ..SmtpBehaviour::default()
    });
    send(&mailer_of(&smtp), "1", "ada@example.com").await
}

#[tokio::test]
async fn an_email_arrives_whole() {
    let smtp = SmtpServer::start(SmtpBehaviour::default());

    send(&mailer_of(&smtp), "first", "Ada@한국.kr").await.expect("sent");

    let [content] = &smtp.accepted()[..] else { panic!("one e-mail") };
    assert_eq!(content.from, "no-reply@gate.example");
    assert_eq!(content.to, ["Ada@xn--3e0b707e.kr"]);
    let message = MessageParser::default().parse(&content.message).expect("a message");
    assert_eq!(message.message_id(), Some("first@gate.example"));
    assert_eq!(message.subject(), Some("[대문] 새 비밀번호를 정해 주세요"));
    assert!(message.body_text(0).expect("text").contains("/account/password/reset/token"));
    assert!(smtp.commands().contains(&"EHLO gate.example".to_owned()), "{:?}", smtp.commands());
}

#[tokio::test]
async fn emails_of_one_batch_share_a_connection() {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let mailer = mailer_of(&smtp);

    for id in ["1", "2", "3"] {
        send(&mailer.clone(), id, "ada@example.com").await.expect("sent");
    }

    assert_eq!((smtp.accepted().len(), smtp.connections()), (3, 1));
}

#[tokio::test]
async fn a_connection_is_kept_briefly() {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let mailer = mailer_of(&smtp);
    send(&mailer, "1", "ada@example.com").await.expect("sent");

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    send(&mailer, "2", "ada@example.com").await.expect("sent");

    assert_eq!((smtp.accepted().len(), smtp.connections()), (2, 2));
    assert!(!smtp.commands().contains(&"NOOP".to_owned()));
}

#[tokio::test]
async fn a_closed_connection_is_reopened() {
    let replies = vec![("NOOP", "")];
    let smtp = SmtpServer::start(SmtpBehaviour { replies, ..SmtpBehaviour::default() });
    let mailer = mailer_of(&smtp);

    for id in ["1", "2"] {
        send(&mailer, id, "ada@example.com").await.expect("sent");
    }

    assert_eq!((smtp.accepted().len(), smtp.connections()), (2, 2));
}

#[tokio::test]
async fn permanent_failures_are_not_retried() {
    for (command, reply) in [
        ("RCPT", "550 5.1.1 no such mailbox"),
        ("RCPT", "501 5.1.3 bad address"),
        ("RCPT", "551 not here"),
        ("RCPT", "553 5.1.3 not allowed"),
        ("RCPT", "555 what parameters?"),
        ("RCPT", "556 5.1.10 takes no mail"),
        (".", "552 5.3.4 too large"),
    ] {
        let fate = fate(command, reply).await;

        let Err(SendError::Permanent(why)) = &fate else { panic!("{reply}: {fate:?}") };
        assert!(why.contains(reply), "{why}");
        assert!(!why.contains('\n') && why.starts_with("smtp://localhost:"), "{why}");
    }
}

#[tokio::test]
async fn temporary_failures_may_be_retried() {
    for (command, reply) in [
        ("RCPT", "450 4.2.1 mailbox busy"),
        ("RCPT", "451 4.7.1 come back in a minute"),
        ("RCPT", "452 4.2.2 mailbox full"),
        ("DATA", "451 4.3.0 not now"),
        (".", "554 5.6.0 looks like spam"),
    ] {
        let fate = fate(command, reply).await;

        assert!(matches!(&fate, Err(SendError::Transient(why)) if why.contains(reply)), "{fate:?}");
    }
}

#[tokio::test]
async fn connection_failures_stop_the_batch() {
    for (command, reply) in [
        ("hello", "554 go away"),
        ("hello", ""),
        ("EHLO", "550 who are you?"),
        ("MAIL", "550 5.7.1 not your address"),
        ("MAIL", "451 4.3.0 not now"),
        ("RCPT", "421 4.3.2 closing"),
        ("RCPT", "530 5.7.0 log in first"),
        ("RCPT", "550 5.1.8 sender's domain does not exist"),
        ("RCPT", ""),
        (".", ""),
        ("RCPT", "this is not SMTP"),
    ] {
        let fate = fate(command, reply).await;

        assert!(matches!(fate, Err(SendError::Unreachable(_))), "{command} {reply}: {fate:?}");
    }
}

#[tokio::test]
async fn errors_never_contain_the_recipient() {
    for reply in
        ["550 5.1.1 <ada@example.com>: unknown", "451 greylisted ADA@Example.com ada@example.com"]
    {
        let fate = fate("RCPT", reply).await;

        let Err(SendError::Permanent(why) | SendError::Transient(why)) = &fate else {
            panic!("{fate:?}")
        };
        assert!(why.contains("***") && !why.to_lowercase().contains("ada@"), "{why}");
    }
}

#[tokio::test]
async fn a_refused_email_does_not_block_the_next() {
    let replies = vec![("RCPT TO:<eve@", "550 no such mailbox")];
    let smtp = SmtpServer::start(SmtpBehaviour { replies, ..SmtpBehaviour::default() });
    let mailer = mailer_of(&smtp);

    let refused = send(&mailer, "1", "eve@example.com").await;
    send(&mailer, "2", "ada@example.com").await.expect("sent");

    assert!(matches!(refused, Err(SendError::Permanent(_))), "{refused:?}");
    assert_eq!(smtp.accepted().len(), 1);
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let mailer = mailer(&format!("smtp://127.0.0.1:{}", free_port()));

    let (sent, tried) = (send(&mailer, "1", "ada@example.com").await, mailer.test().await);

    assert!(matches!(sent, Err(SendError::Unreachable(_))), "{sent:?}");
    assert!(matches!(tried, Err(SendError::Unreachable(_))), "{tried:?}");
}

#[tokio::test]
async fn testing_the_server_sends_no_email() {
    let smtp = SmtpServer::start(SmtpBehaviour::default());

    mailer_of(&smtp).test().await.expect("it works");

    assert_eq!(smtp.commands(), ["hello", "EHLO gate.example", "QUIT"]);
}

/// Sends an e-mail to a server that stalls, and says what became of it and after how long.
async fn waited(stalls_at: &'static str, timeouts: Timeouts) -> (Result<(), SendError>, Duration) {
    let mut smtp =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some(stalls_at), ..SmtpBehaviour::default() });
    let mailer = mailer_of(&smtp).with_timeouts(timeouts);
    let since = Instant::now();
    let sending = tokio::spawn(async move { send(&mailer, "1", "ada@example.com").await });

    smtp.wait_until_stalled().await;
    tokio::time::pause();
    let sent = sending.await.expect("no panic");

    (sent, since.elapsed())
}

#[tokio::test]
async fn a_reply_is_awaited_for_twenty_seconds() {
    for step in ["hello", "EHLO", "RCPT", "DATA", "."] {
        let (sent, took) = waited(step, Timeouts::default()).await;
        tokio::time::resume();

        let Err(SendError::Unreachable(why)) = &sent else { panic!("{step}: {sent:?}") };
        assert!(why.ends_with("no answer in time"), "{why}");
        assert!(took >= Duration::from_secs(20) && took < Duration::from_mins(1), "{took:?}");
    }
}

#[tokio::test]
async fn one_email_takes_a_minute_at_most() {
    let timeouts = Timeouts { reply: Duration::from_hours(1), ..Timeouts::default() };

    let (sent, took) = waited("DATA", timeouts).await;

    let Err(SendError::Unreachable(why)) = &sent else { panic!("{sent:?}") };
    assert!(why.ends_with("the e-mail took too long"), "{why}");
    assert!(took >= Duration::from_mins(1) && took < Duration::from_mins(2), "{took:?}");
}

#[tokio::test]
async fn a_slow_reply_is_accepted() {
    let mut smtp =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some("DATA"), ..SmtpBehaviour::default() });
    let mailer = mailer_of(&smtp);
    let sending = tokio::spawn(async move { send(&mailer, "1", "ada@example.com").await });

    smtp.wait_until_stalled().await;
    assert_eq!(smtp.accepted().len(), 0);
    smtp.resume();

    sending.await.expect("no panic").expect("sent");
    assert_eq!(smtp.accepted().len(), 1);
}

#[tokio::test]
async fn a_remote_server_without_starttls_gets_nothing() {
    let login = Some(("ada", "sesame"));
    let smtp = SmtpServer::start(SmtpBehaviour { login, ..SmtpBehaviour::default() });
    // This address leads here too, but nothing says so.
    let mailer = mailer(&format!("smtp://ada:sesame@0.0.0.0:{}", smtp.port));

    let sent = send(&mailer, "1", "ada@example.com").await;

    let Err(SendError::Unreachable(why)) = &sent else { panic!("{sent:?}") };
    assert!(why.ends_with("the server offers no STARTTLS"), "{why}");
    let heard = smtp.commands();
    assert!(!heard.iter().any(|it| it.starts_with("AUTH") || it.starts_with("MAIL")), "{heard:?}");
}

#[tokio::test]
async fn a_relay_on_a_trusted_network_needs_no_tls() {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let mailer = mailer(&format!("smtp://0.0.0.0:{}?tls=none", smtp.port));

    send(&mailer, "1", "ada@example.com").await.expect("sent");

    assert!(!smtp.accepted()[0].was_encrypted);
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    for tls_at_once in [false, true] {
        let certificate = Some(CertificateAuthority::new().issue("localhost"));
        let login = Some(("ada", "sesame"));
        let manners = SmtpBehaviour { certificate, tls_at_once, login, ..SmtpBehaviour::default() };
        let smtp = SmtpServer::start(manners);
        let scheme = if tls_at_once { "smtps" } else { "smtp" };
        let mailer = mailer(&format!("{scheme}://ada:sesame@localhost:{}", smtp.port));

        let sent = send(&mailer, "1", "ada@example.com").await;

        let Err(SendError::Unreachable(why)) = &sent else { panic!("{sent:?}") };
        assert!(why.contains("certificate"), "{why}");
        let heard = smtp.commands();
        assert!(!heard.iter().any(|it| it.starts_with("AUTH")), "{heard:?}");
    }
}

#[tokio::test]
async fn errors_never_contain_the_password() {
    // The second is what AUTH PLAIN sends for this name and this password, the third the password.
    for repeated in
        ["535 sesame", "535 what is AGFkYQBzZXNhbWU=", "535 what is c2VzYW1l", "334 c2VzYW1l"]
    {
        let login = Some(("ada", "sesame"));
        let replies = vec![("AUTH", repeated)];
        let smtp = SmtpServer::start(SmtpBehaviour { login, replies, ..SmtpBehaviour::default() });
        let mailer = mailer(&format!("smtp://ada:sesame@localhost:{}", smtp.port));

        let tried = mailer.test().await.expect_err("refused");

        let said = format!("{tried} {tried:?} {mailer:?}");
        for secret in ["sesame", "AGFkYQBzZXNhbWU", "c2VzYW1l"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}
