//! Sending e-mails by SMTP, also to a mail server that refuses, stalls or lies.

use std::time::Duration;

use daemun::config::Settings;
use daemun::i18n::Language;
use daemun::mail::{Envelope, Kind, Letter, Mailer, Patience, SendError};
use daemun::types::{Email, Secret};
use mail_parser::MessageParser;
use time::macros::datetime;
use tokio::time::Instant;

use crate::support::process::free_port;
use crate::support::smtp::{Authority, Manners, PostOffice};

fn mailer(url: &str) -> Mailer {
    let figment = rocket::Config::figment()
        .merge(("public_url", "https://gate.example"))
        .merge(("mail_url", url))
        .merge(("mail_from", "Gate <no-reply@gate.example>"));
    Mailer::open(&Settings::from_figment(&figment).expect("settings")).expect("a mailer")
}

fn mailer_of(office: &PostOffice) -> Mailer {
    mailer(&format!("smtp://localhost:{}", office.port))
}

async fn send(mailer: &Mailer, id: &str, to: &str) -> Result<(), SendError> {
    let to = Email::parse(to).expect("an address");
    let written_at = datetime!(2026-03-01 12:00 UTC);
    let envelope = Envelope { id, to: &to, language: Language::Korean, written_at };
    let letter = Letter::new(Kind::ResetPassword).with_link(Secret::new("token".into()));
    mailer.send(&envelope, &letter).await
}

/// What becomes of a letter when one reply is another than usual.
async fn fate(told: &'static str, reply: &'static str) -> Result<(), SendError> {
    let office = PostOffice::opens(Manners { replies: vec![(told, reply)], ..Manners::default() });
    send(&mailer_of(&office), "1", "ada@example.com").await
}

#[tokio::test]
async fn a_letter_arrives_whole_and_from_the_site() {
    let office = PostOffice::opens(Manners::default());

    send(&mailer_of(&office), "first", "Ada@한국.kr").await.expect("sent");

    let [letter] = &office.taken()[..] else { panic!("one letter") };
    assert_eq!(letter.from, "no-reply@gate.example");
    assert_eq!(letter.to, ["Ada@xn--3e0b707e.kr"]);
    let message = MessageParser::default().parse(&letter.message).expect("a message");
    assert_eq!(message.message_id(), Some("first@gate.example"));
    assert_eq!(message.subject(), Some("[대문] 새 비밀번호를 정해 주세요"));
    assert!(message.body_text(0).expect("text").contains("/account/password/reset/token"));
    assert!(office.heard().contains(&"EHLO gate.example".to_owned()), "{:?}", office.heard());
}

#[tokio::test]
async fn letters_of_one_batch_go_over_one_connection() {
    let office = PostOffice::opens(Manners::default());
    let mailer = mailer_of(&office);

    for id in ["1", "2", "3"] {
        send(&mailer.clone(), id, "ada@example.com").await.expect("sent");
    }

    assert_eq!((office.taken().len(), office.connections()), (3, 1));
}

#[tokio::test]
async fn a_connection_is_not_kept_for_long() {
    let office = PostOffice::opens(Manners::default());
    let mailer = mailer_of(&office);
    send(&mailer, "1", "ada@example.com").await.expect("sent");

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    send(&mailer, "2", "ada@example.com").await.expect("sent");

    assert_eq!((office.taken().len(), office.connections()), (2, 2));
    assert!(!office.heard().contains(&"NOOP".to_owned()));
}

#[tokio::test]
async fn a_server_that_hung_up_in_the_meantime_is_called_again() {
    let replies = vec![("NOOP", "")];
    let office = PostOffice::opens(Manners { replies, ..Manners::default() });
    let mailer = mailer_of(&office);

    for id in ["1", "2"] {
        send(&mailer, id, "ada@example.com").await.expect("sent");
    }

    assert_eq!((office.taken().len(), office.connections()), (2, 2));
}

#[tokio::test]
async fn what_the_server_will_never_take_is_not_tried_again() {
    for (told, reply) in [
        ("RCPT", "550 5.1.1 no such mailbox"),
        ("RCPT", "501 5.1.3 bad address"),
        ("RCPT", "551 not here"),
        ("RCPT", "553 5.1.3 not allowed"),
        ("RCPT", "555 what parameters?"),
        ("RCPT", "556 5.1.10 takes no mail"),
        (".", "552 5.3.4 too large"),
    ] {
        let fate = fate(told, reply).await;

        let Err(SendError::Refused(why)) = &fate else { panic!("{reply}: {fate:?}") };
        assert!(why.contains(reply), "{why}");
        assert!(!why.contains('\n') && why.starts_with("smtp://localhost:"), "{why}");
    }
}

#[tokio::test]
async fn what_the_server_does_not_take_now_may_be_tried_again() {
    for (told, reply) in [
        ("RCPT", "450 4.2.1 mailbox busy"),
        ("RCPT", "451 4.7.1 come back in a minute"),
        ("RCPT", "452 4.2.2 mailbox full"),
        ("DATA", "451 4.3.0 not now"),
        (".", "554 5.6.0 looks like spam"),
    ] {
        let fate = fate(told, reply).await;

        assert!(matches!(&fate, Err(SendError::NotNow(why)) if why.contains(reply)), "{fate:?}");
    }
}

#[tokio::test]
async fn what_is_not_about_the_letter_stops_the_batch() {
    for (told, reply) in [
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
        let fate = fate(told, reply).await;

        assert!(matches!(fate, Err(SendError::Unreachable(_))), "{told} {reply}: {fate:?}");
    }
}

#[tokio::test]
async fn no_reason_holds_the_readers_address() {
    for reply in
        ["550 5.1.1 <ada@example.com>: unknown", "451 greylisted ADA@Example.com ada@example.com"]
    {
        let fate = fate("RCPT", reply).await;

        let Err(SendError::Refused(why) | SendError::NotNow(why)) = &fate else {
            panic!("{fate:?}")
        };
        assert!(why.contains("***") && !why.to_lowercase().contains("ada@"), "{why}");
    }
}

#[tokio::test]
async fn a_letter_that_is_refused_does_not_stand_in_the_way_of_the_next() {
    let replies = vec![("RCPT TO:<eve@", "550 no such mailbox")];
    let office = PostOffice::opens(Manners { replies, ..Manners::default() });
    let mailer = mailer_of(&office);

    let refused = send(&mailer, "1", "eve@example.com").await;
    send(&mailer, "2", "ada@example.com").await.expect("sent");

    assert!(matches!(refused, Err(SendError::Refused(_))), "{refused:?}");
    assert_eq!(office.taken().len(), 1);
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_reached() {
    let mailer = mailer(&format!("smtp://127.0.0.1:{}", free_port()));

    let (sent, tried) = (send(&mailer, "1", "ada@example.com").await, mailer.test().await);

    assert!(matches!(sent, Err(SendError::Unreachable(_))), "{sent:?}");
    assert!(matches!(tried, Err(SendError::Unreachable(_))), "{tried:?}");
}

#[tokio::test]
async fn trying_the_server_sends_nothing() {
    let office = PostOffice::opens(Manners::default());

    mailer_of(&office).test().await.expect("it works");

    assert_eq!(office.heard(), ["hello", "EHLO gate.example", "QUIT"]);
}

/// Sends a letter to a server that stalls, and says what became of it and after how long.
async fn waited(stalls_at: &'static str, patience: Patience) -> (Result<(), SendError>, Duration) {
    let mut office =
        PostOffice::opens(Manners { stalls_at: Some(stalls_at), ..Manners::default() });
    let mailer = mailer_of(&office).with_patience(patience);
    let since = Instant::now();
    let sending = tokio::spawn(async move { send(&mailer, "1", "ada@example.com").await });

    office.has_stalled().await;
    tokio::time::pause();
    let sent = sending.await.expect("no panic");

    (sent, since.elapsed())
}

#[tokio::test]
async fn an_answer_is_waited_for_twenty_seconds_and_no_longer() {
    for step in ["hello", "EHLO", "RCPT", "DATA", "."] {
        let (sent, took) = waited(step, Patience::default()).await;
        tokio::time::resume();

        let Err(SendError::Unreachable(why)) = &sent else { panic!("{step}: {sent:?}") };
        assert!(why.ends_with("no answer in time"), "{why}");
        assert!(took >= Duration::from_secs(20) && took < Duration::from_mins(1), "{took:?}");
    }
}

#[tokio::test]
async fn a_whole_letter_is_waited_for_a_minute_however_lively_the_server_is() {
    let patience = Patience { answer: Duration::from_hours(1), ..Patience::default() };

    let (sent, took) = waited("DATA", patience).await;

    let Err(SendError::Unreachable(why)) = &sent else { panic!("{sent:?}") };
    assert!(why.ends_with("the letter took too long"), "{why}");
    assert!(took >= Duration::from_mins(1) && took < Duration::from_mins(2), "{took:?}");
}

#[tokio::test]
async fn a_slow_answer_is_an_answer() {
    let mut office = PostOffice::opens(Manners { stalls_at: Some("DATA"), ..Manners::default() });
    let mailer = mailer_of(&office);
    let sending = tokio::spawn(async move { send(&mailer, "1", "ada@example.com").await });

    office.has_stalled().await;
    assert_eq!(office.taken().len(), 0);
    office.goes_on();

    sending.await.expect("no panic").expect("sent");
    assert_eq!(office.taken().len(), 1);
}

#[tokio::test]
async fn a_server_elsewhere_that_offers_no_starttls_hears_nothing_more() {
    let login = Some(("ada", "sesame"));
    let office = PostOffice::opens(Manners { login, ..Manners::default() });
    // This address leads here too, but nothing says so.
    let mailer = mailer(&format!("smtp://ada:sesame@0.0.0.0:{}", office.port));

    let sent = send(&mailer, "1", "ada@example.com").await;

    let Err(SendError::Unreachable(why)) = &sent else { panic!("{sent:?}") };
    assert!(why.ends_with("the server offers no STARTTLS"), "{why}");
    let heard = office.heard();
    assert!(!heard.iter().any(|it| it.starts_with("AUTH") || it.starts_with("MAIL")), "{heard:?}");
}

#[tokio::test]
async fn a_relay_on_a_trusted_network_may_do_without_tls() {
    let office = PostOffice::opens(Manners::default());
    let mailer = mailer(&format!("smtp://0.0.0.0:{}?tls=none", office.port));

    send(&mailer, "1", "ada@example.com").await.expect("sent");

    assert!(!office.taken()[0].was_encrypted);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    for tls_at_once in [false, true] {
        let certificate = Some(Authority::new().certifies("localhost"));
        let login = Some(("ada", "sesame"));
        let manners = Manners { certificate, tls_at_once, login, ..Manners::default() };
        let office = PostOffice::opens(manners);
        let scheme = if tls_at_once { "smtps" } else { "smtp" };
        let mailer = mailer(&format!("{scheme}://ada:sesame@localhost:{}", office.port));

        let sent = send(&mailer, "1", "ada@example.com").await;

        let Err(SendError::Unreachable(why)) = &sent else { panic!("{sent:?}") };
        assert!(why.contains("certificate"), "{why}");
        let heard = office.heard();
        assert!(!heard.iter().any(|it| it.starts_with("AUTH")), "{heard:?}");
    }
}

#[tokio::test]
async fn no_reason_holds_the_password_not_even_if_the_server_repeats_it() {
    // The second is what AUTH PLAIN sends for this name and this password, the third the password.
    for repeated in
        ["535 sesame", "535 what is AGFkYQBzZXNhbWU=", "535 what is c2VzYW1l", "334 c2VzYW1l"]
    {
        let login = Some(("ada", "sesame"));
        let replies = vec![("AUTH", repeated)];
        let office = PostOffice::opens(Manners { login, replies, ..Manners::default() });
        let mailer = mailer(&format!("smtp://ada:sesame@localhost:{}", office.port));

        let tried = mailer.test().await.expect_err("refused");

        let said = format!("{tried} {tried:?} {mailer:?}");
        for secret in ["sesame", "AGFkYQBzZXNhbWU", "c2VzYW1l"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}
