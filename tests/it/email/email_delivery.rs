//! E-mails are claimed by one node and sent once.

use std::collections::BTreeSet;
use std::time::Duration;

use daemun::testing::flows;
use daemun::testing::flows::system::email_delivery::EmailSender;
use daemun::testing::mail::{EmailContent, EmailKind};
use daemun::testing::outbox;
use daemun::testing::outbox::Recipient;
use daemun::testing::types::{Email, Language, Secret};
use futures::future::join_all;

use crate::support::app::email;
use crate::support::smtp::{SmtpBehaviour, SmtpServer};
use crate::support::{App, TestEnv, on_both};

pub(crate) const RESET: &str = "/account/password/reset";

/// How long a claimed e-mail is left alone.
const CLAIM: Duration = Duration::from_mins(1);

const ALMOST_THE_CLAIM: Duration = Duration::from_secs(59);

/// A node whose e-mails go to this server.
pub(crate) async fn node(env: &TestEnv, smtp: &SmtpServer) -> App {
    env.app_with(&[("mail_url", &format!("smtp://localhost:{}", smtp.port))]).await
}

/// A mail server that replies to something in a way of its own.
pub(crate) fn unkind(command: &'static str, reply: &'static str) -> SmtpServer {
    SmtpServer::start(SmtpBehaviour { replies: vec![(command, reply)], ..SmtpBehaviour::default() })
}

pub(crate) fn recipient(name: &str) -> Recipient {
    let email = Email::parse(&email(name)).expect("an address");
    Recipient { user: None, email, language: Language::English }
}

/// E-mails in the box, to `person0`, `person1` and so on.
pub(crate) async fn writes(app: &App, count: usize) {
    let transaction = app.ctx.db.begin().await.expect("begins");
    for number in 0..count {
        let to = recipient(&format!("person{number}"));
        let email =
            EmailContent::new(EmailKind::VerifyEmail).with_link(Secret::new("open-sesame".into()));
        let now = app.ctx.clock.now();
        outbox::enqueue(&transaction, &app.ctx.keys, &to, &email, now).await.expect("written");
    }
    transaction.commit().await.expect("committed");
}

/// Requests a reset link.
pub(crate) async fn forgets(app: &App, name: &str) {
    let page = app.visitor().submits(RESET, &[("email", &email(name))]).await;
    assert_eq!(page.status(), 303, "{}", page.text());
}

/// How many e-mails of the box are so.
pub(crate) async fn count(app: &App, condition: &str) -> i64 {
    app.query_number(&format!("SELECT COUNT(*) FROM outbox WHERE {condition}")).await
}

/// How many e-mails were given up for a reason that begins or ends like this.
pub(crate) async fn given_up(app: &App, reason: &str) -> i64 {
    let condition = "due_at IS NULL AND failed_at IS NOT NULL AND sealed = ''";
    count(app, &format!("{condition} AND last_error LIKE '{reason}'")).await
}

/// How often the server was asked to accept an e-mail to a recipient.
pub(crate) fn tries(smtp: &SmtpServer) -> usize {
    smtp.commands().iter().filter(|line| line.starts_with("RCPT")).count()
}

#[on_both]
async fn an_email_is_not_sent_if_its_cause_was_rolled_back(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    {
        let transaction = app.ctx.db.begin().await.expect("begins");
        let (to, email) = (recipient("ada"), EmailContent::new(EmailKind::PasswordChanged));
        let now = env.clock.now();
        outbox::enqueue(&transaction, &app.ctx.keys, &to, &email, now).await.expect("written");
    }

    app.sends_due_emails().await;

    assert_eq!((smtp.connections(), count(&app, "TRUE").await), (0, 0));
    app.discards_emails().await;
}

#[on_both]
async fn a_sent_email_keeps_no_content(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    writes(&app, 3).await;
    assert_eq!(count(&app, "sealed LIKE '%open-sesame%' OR sealed = ''").await, 0, "sealed");

    app.sends_due_emails().await;
    app.sends_due_emails().await;

    let message = smtp.accepted()[0].message.clone();
    assert!(String::from_utf8_lossy(&message).contains("open-sesame"));
    let finished = "due_at IS NULL AND sent_at IS NOT NULL AND failed_at IS NULL";
    let is_silent = "sealed = '' AND last_error = '' AND attempts = 1";
    assert_eq!(count(&app, &format!("{finished} AND {is_silent}")).await, 3);
    assert_eq!(smtp.accepted().len(), 3, "once each");
}

#[on_both]
async fn a_claim_takes_no_more_than_asked(env: TestEnv) {
    let app = env.app().await;
    // The planner believes that there is one e-mail, and may look for it again for each of them.
    writes(&app, 1).await;
    app.execute("ANALYZE outbox").await;
    writes(&app, 200).await;
    let now = env.clock.now();

    let first = outbox::claim(&app.ctx.db, &app.ctx.keys, 40, now).await.expect("claimed");
    let second = outbox::claim(&app.ctx.db, &app.ctx.keys, 40, now).await.expect("claimed");

    assert_eq!((first.len(), second.len()), (40, 40));
    let ids: BTreeSet<_> = first.iter().chain(&second).map(|email| email.id).collect();
    assert_eq!(ids.len(), 80, "nobody's twice");
}

#[on_both]
async fn nodes_sending_at_once_send_each_email_once(env: TestEnv) {
    for count in [2, 4] {
        let smtp = SmtpServer::start(SmtpBehaviour::default());
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(node(&env, &smtp).await);
        }
        writes(&nodes[0], 200).await;

        join_all(nodes.iter().map(App::sends_due_emails)).await;

        let taken = smtp.accepted();
        let recipients: BTreeSet<_> = taken.iter().map(|email| email.to.clone()).collect();
        assert_eq!((taken.len(), recipients.len()), (200, 200), "{count} nodes");
    }
}

#[on_both]
async fn emails_of_a_dead_node_are_sent_by_another(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let (dies, lives) = (env.app().await, node(&env, &smtp).await);
    writes(&dies, 1).await;
    let ctx = &dies.ctx;
    let claimed = outbox::claim(&ctx.db, &ctx.keys, 40, env.clock.now()).await;
    assert_eq!(claimed.expect("claimed").len(), 1);

    env.clock.advance(ALMOST_THE_CLAIM);
    lives.sends_due_emails().await;
    assert_eq!(smtp.accepted().len(), 0, "the other may still be at it");
    env.clock.advance(Duration::from_secs(1));
    lives.sends_due_emails().await;
    env.clock.advance(CLAIM);
    lives.sends_due_emails().await;

    assert_eq!(smtp.accepted().len(), 1);
}

#[on_both]
async fn a_claim_is_renewed_while_its_emails_are_sent(env: TestEnv) {
    let mut slow =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some("DATA"), ..SmtpBehaviour::default() });
    let quick = SmtpServer::start(SmtpBehaviour::default());
    let (app, other) = (node(&env, &slow).await, node(&env, &quick).await);
    writes(&app, 1).await;
    let sender = EmailSender::new(app.ctx.clone()).renewing_every(Duration::from_millis(5));
    let sending = rocket::tokio::spawn(async move { sender.send_batch().await });
    slow.wait_until_stalled().await;

    for _ in 0..5 {
        env.clock.advance(Duration::from_secs(50));
        let now = daemun::testing::clock::to_micros(env.clock.now());
        let renewed = format!("is_claimed AND due_at = {now} + 60000000");
        while count(&app, &renewed).await == 0 {
            rocket::tokio::task::yield_now().await;
        }
        other.sends_due_emails().await;
    }
    slow.resume();

    let delivered = sending.await.expect("no panic").expect("delivered");
    assert_eq!((delivered.sent, slow.accepted().len(), quick.accepted().len()), (1, 1, 0));
    assert_eq!(count(&app, "sent_at IS NOT NULL AND due_at IS NULL AND attempts = 1").await, 1);
}

#[on_both]
async fn a_node_that_paused_beyond_its_claim_sends_nothing(env: TestEnv) {
    let mut slow =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some("DATA"), ..SmtpBehaviour::default() });
    let quick = SmtpServer::start(SmtpBehaviour::default());
    let (app, other) = (node(&env, &slow).await, node(&env, &quick).await);
    // More than there are lanes, so that some e-mails are not begun when the clock jumps.
    writes(&app, 12).await;
    let sender = EmailSender::new(app.ctx.clone()).renewing_every(Duration::from_hours(1));
    let sending = rocket::tokio::spawn(async move { sender.send_batch().await });
    for _ in 0..4 {
        slow.wait_until_stalled().await;
    }

    env.clock.advance(CLAIM);
    let claimed = outbox::claim(&other.ctx.db, &other.ctx.keys, 40, env.clock.now()).await;
    for _ in 0..4 {
        slow.resume();
    }

    let delivered = sending.await.expect("no panic").expect("delivered");
    assert_eq!((claimed.expect("claimed").len(), delivered.sent), (12, 4));
    assert_eq!(count(&app, "is_claimed AND due_at IS NOT NULL AND attempts = 2").await, 8);
    env.clock.advance(CLAIM);
    other.sends_due_emails().await;
    assert_eq!((slow.accepted().len(), quick.accepted().len()), (4, 8));
}

#[on_both]
async fn an_expired_claim_changes_nothing(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let (slow, other) = (env.app().await, node(&env, &smtp).await);
    writes(&slow, 3).await;
    let ctx = &slow.ctx;
    let claimed = outbox::claim(&ctx.db, &ctx.keys, 40, env.clock.now()).await;
    let claimed = claimed.expect("claimed");
    env.clock.advance(CLAIM);
    other.sends_due_emails().await;

    let now = env.clock.now();
    outbox::mark_failed(&ctx.db, &claimed[0], "not now", false, now).await.expect("told");
    outbox::mark_failed(&ctx.db, &claimed[1], "never", true, now).await.expect("told");
    outbox::release(&ctx.db, &claimed, now).await.expect("told");
    other.sends_due_emails().await;

    let finished = "sent_at IS NOT NULL AND failed_at IS NULL AND due_at IS NULL";
    assert_eq!((smtp.accepted().len(), count(&other, finished).await), (3, 3));
}

#[on_both]
async fn stopping_releases_claimed_emails(env: TestEnv) {
    let manners = SmtpBehaviour { stalls_at: Some("."), ..SmtpBehaviour::default() };
    let mut smtp = SmtpServer::start(manners);
    let app = node(&env, &smtp).await;
    writes(&app, 40).await;
    let sender = std::sync::Arc::new(EmailSender::new(app.ctx.clone()));
    let delivering = sender.clone();
    let delivering = tokio::spawn(async move { delivering.send_batch().await });

    for _ in 0..4 {
        smtp.wait_until_stalled().await;
    }
    sender.stop();
    for _ in 0..4 {
        smtp.resume();
    }

    let delivered = delivering.await.expect("no panic").expect("delivers");
    assert_eq!((delivered.sent, delivered.is_more), (4, false));
    assert_eq!(count(&app, "attempts = 0 AND due_at = created_at AND sent_at IS NULL").await, 36);
    assert_eq!((smtp.accepted().len(), count(&app, "sent_at IS NOT NULL").await), (4, 4));
}

#[on_both]
async fn a_batch_uses_few_connections(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    writes(&app, 120).await;

    app.sends_due_emails().await;

    assert_eq!(smtp.accepted().len(), 120);
    assert!(smtp.connections() <= 4, "{} connections", smtp.connections());
}

#[on_both]
async fn pages_never_contact_the_mail_server(env: TestEnv) {
    let smtp =
        SmtpServer::start(SmtpBehaviour { stalls_at: Some("hello"), ..SmtpBehaviour::default() });
    let app = node(&env, &smtp).await;

    let mut ada = app.user("ada").await;
    forgets(&app, "ada").await;
    forgets(&app, "nobody").await;

    assert!(ada.is_signed_in().await);
    assert_eq!((smtp.connections(), count(&app, "attempts = 0").await), (0, 3));
}

#[test]
fn an_email_that_cannot_be_marked_spares_the_others() {
    crate::support::run_test(crate::support::env::Engine::Sqlite, |env| async move {
        let smtp = SmtpServer::start(SmtpBehaviour::default());
        let app = node(&env, &smtp).await;
        writes(&app, 40).await;
        let trigger = "CREATE TRIGGER jam BEFORE UPDATE ON outbox WHEN NEW.id = 1 \
                       AND NEW.sent_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'jammed'); END";
        app.execute(trigger).await;

        flows::system::email_delivery::send_batch(&app.ctx)
            .await
            .expect_err("one of them was jammed");

        assert_eq!((smtp.accepted().len(), count(&app, "sent_at IS NOT NULL").await), (31, 30));
    });
}
