//! E-mails that the mail server does not take: tried again, or marked as failed.

use std::collections::BTreeSet;
use std::time::Duration;

use daemun::testing::crypto::{DerivedKeys, SecretKey};
use daemun::testing::flows;
use daemun::testing::flows::system::email_delivery::EmailSender;
use daemun::testing::mail::{EmailContent, EmailKind};
use daemun::testing::outbox;

use crate::email::email_delivery::{count, given_up, node, recipient, tries, unkind, writes};
use crate::support::process::free_port;
use crate::support::smtp::{SmtpBehaviour, SmtpServer};
use crate::support::{TestEnv, on_both};

#[on_both]
async fn temporary_failures_double_the_wait(env: TestEnv) {
    let smtp = unkind("RCPT", "451 4.7.1 come back later");
    let app = node(&env, &smtp).await;
    writes(&app, 1).await;
    app.sends_due_emails().await;

    for (number, minutes) in [1, 2, 4, 8, 16, 32, 64, 128, 240, 240].into_iter().enumerate() {
        env.clock.advance(Duration::from_secs(minutes * 60 - 1));
        app.sends_due_emails().await;
        assert_eq!(tries(&smtp), number + 1, "{minutes} minutes are not over");
        env.clock.advance(Duration::from_secs(1));
        app.sends_due_emails().await;
        assert_eq!(tries(&smtp), number + 2, "{minutes} minutes are over");
    }

    assert_eq!(
        count(&app, "attempts = 11 AND last_error LIKE '%451 4.7.1%' AND sealed <> ''").await,
        1
    );
}

#[on_both]
async fn an_email_fails_after_a_day_with_its_reason(env: TestEnv) {
    let smtp = unkind("RCPT", "451 4.7.1 come back later");
    let app = node(&env, &smtp).await;
    writes(&app, 1).await;

    let mut tried = BTreeSet::new();
    for minute in 0..=24 * 60 {
        app.sends_due_emails().await;
        if tries(&smtp) > tried.len() {
            tried.insert(minute);
        }
        env.clock.advance(Duration::from_mins(1));
    }

    let last = tried.last().copied().expect("tried");
    assert!((23 * 60..24 * 60).contains(&last), "to the end of the day: {tried:?}");
    assert_eq!(given_up(&app, "%: RCPT TO: 451 4.7.1 come back later").await, 1);
    env.clock.advance(Duration::from_hours(24));
    app.sends_due_emails().await;
    assert_eq!(tries(&smtp), tried.len(), "and then never again");
}

#[on_both]
async fn an_email_not_tried_for_a_day_expires(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    writes(&app, 1).await;
    app.execute("UPDATE outbox SET last_error = 'the last time'").await;
    env.clock.advance(Duration::from_hours(24));

    app.sends_due_emails().await;

    assert_eq!((smtp.connections(), given_up(&app, "too late%the last time").await), (0, 1));
}

#[on_both]
async fn permanent_failures_are_not_retried(env: TestEnv) {
    let smtp = unkind("RCPT TO:<person1@", "550 5.1.1 no such mailbox");
    let app = node(&env, &smtp).await;
    writes(&app, 3).await;

    app.sends_due_emails().await;

    assert_eq!(given_up(&app, "%: RCPT TO: 550 5.1.1 no such mailbox").await, 1);
    assert_eq!((smtp.accepted().len(), count(&app, "sent_at IS NOT NULL").await), (2, 2));
}

#[on_both]
async fn an_unreachable_server_releases_the_rest(env: TestEnv) {
    let url = format!("smtp://127.0.0.1:{}", free_port());
    let app = env.app_with(&[("mail_url", &url)]).await;
    writes(&app, 40).await;

    let delivered = flows::system::email_delivery::send_batch(&app.ctx).await.expect("delivers");

    assert_eq!((delivered.sent, delivered.is_more), (0, false));
    let tried = count(&app, "attempts = 1").await;
    assert!((1..=4).contains(&tried), "one on each lane: {tried}");
    assert_eq!(count(&app, "attempts = 0 AND last_error = '' AND sealed <> ''").await, 40 - tried);
}

#[on_both]
async fn an_unreachable_server_is_tried_less_often(env: TestEnv) {
    let smtp = unkind("hello", "421 4.3.2 closed");
    let app = node(&env, &smtp).await;
    writes(&app, 200).await;
    let sender = EmailSender::new(app.ctx.clone());

    let mut asked = Vec::new();
    for _ in 0..600 {
        while sender.send_batch().await.expect("delivers").is_more {}
        asked.push(smtp.connections());
        env.clock.advance(Duration::from_secs(1));
    }

    assert!((1..=4).contains(&asked[4]), "nobody else while it is left alone: {asked:?}");
    assert!(asked[59] <= 8 && asked[599] <= 17, "{asked:?}");
    assert_eq!(count(&app, "attempts > 2").await, 0, "it is the server's fault, not theirs");
}

#[on_both]
async fn a_reachable_server_gets_all_waiting_emails(env: TestEnv) {
    let closed = format!("smtp://127.0.0.1:{}", free_port());
    let away = env.app_with(&[("mail_url", &closed)]).await;
    writes(&away, 100).await;
    let sender = EmailSender::new(away.ctx.clone());
    sender.send_batch().await.expect("nobody listens");
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let back = node(&env, &smtp).await;

    env.clock.advance(Duration::from_mins(1));
    back.sends_due_emails().await;

    let recipients: BTreeSet<_> = smtp.accepted().into_iter().map(|email| email.to).collect();
    assert_eq!((smtp.accepted().len(), recipients.len()), (100, 100));
}

#[on_both]
async fn an_email_sealed_with_another_key_fails_alone(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    let keys = DerivedKeys::derive(&SecretKey::parse(&"f".repeat(64)).expect("a key"));
    let transaction = app.ctx.db.begin().await.expect("begins");
    let (to, email) = (recipient("eve"), EmailContent::new(EmailKind::PasswordChanged));
    let now = env.clock.now();
    outbox::enqueue(&transaction, &keys, &to, &email, now).await.expect("written");
    transaction.commit().await.expect("committed");
    writes(&app, 2).await;

    app.sends_due_emails().await;

    assert_eq!(given_up(&app, "sealed under another secret_key").await, 1);
    assert_eq!(smtp.accepted().len(), 2);
}

#[on_both]
async fn emails_of_newer_versions_are_left_to_them(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    writes(&app, 45).await;
    app.execute("UPDATE outbox SET kind = 'carrier_pigeon' WHERE id <= 42").await;
    app.execute("UPDATE outbox SET language = 'tlh' WHERE id = 43").await;

    app.sends_due_emails().await;

    assert_eq!(smtp.accepted().len(), 2, "they stand in nobody's way");
    let untouched = "due_at = created_at AND attempts = 0 AND failed_at IS NULL AND sealed <> ''";
    assert_eq!(count(&app, untouched).await, 43);
    app.execute("UPDATE outbox SET kind = 'verify_email', language = 'en'").await;
    app.sends_due_emails().await;
    assert_eq!(smtp.accepted().len(), 45);
}
