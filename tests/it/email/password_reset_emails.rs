//! The e-mail of a password reset is made when it is sent.

use std::time::Duration;

use futures::future::join_all;

use crate::email::email_delivery::{RESET, count, forgets, given_up, node, tries, unkind};
use crate::support::app::email;
use crate::support::smtp::{AcceptedEmail, SmtpBehaviour, SmtpServer};
use crate::support::{App, TestEnv, on_both};

/// The path of the reset link in an e-mail.
fn reset_link(taken: &AcceptedEmail) -> String {
    let message = mail_parser::MessageParser::default().parse(&taken.message).expect("a message");
    let text = message.body_text(0).expect("a text").into_owned();
    let (_, link) = text.split_once("/account/password/reset/").expect("a link");
    format!("{RESET}/{}", link.split_whitespace().next().expect("a token"))
}

#[on_both]
async fn one_request_is_one_email_on_two_nodes(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let nodes = [node(&env, &smtp).await, node(&env, &smtp).await];
    nodes[0].user("ada").await;
    nodes[0].sends_due_emails().await;
    forgets(&nodes[0], "ada").await;

    join_all(nodes.iter().map(App::sends_due_emails)).await;

    let [_, received] = &smtp.accepted()[..] else { panic!("one after the first") };
    assert_eq!(received.to, [email("ada")]);
    assert_eq!(nodes[1].visitor().get(&reset_link(received)).await.status(), 303);
    let created = "SELECT COUNT(*) FROM one_time_links WHERE purpose = 'reset_password'";
    assert_eq!(nodes[0].query_number(created).await, 1);
}

#[on_both]
async fn retries_do_not_create_new_links(env: TestEnv) {
    let (busy, smtp) = (unkind("RCPT", "451 later"), SmtpServer::start(SmtpBehaviour::default()));
    let (first, second) = (node(&env, &busy).await, node(&env, &smtp).await);
    first.user("ada").await;
    second.sends_due_emails().await;
    forgets(&first, "ada").await;
    let created = "SELECT COUNT(*) FROM one_time_links WHERE purpose = 'reset_password'";

    first.sends_due_emails().await;
    assert_eq!((tries(&busy), first.query_number(created).await), (1, 1));
    env.clock.advance(Duration::from_mins(1));
    second.sends_due_emails().await;

    assert_eq!(second.query_number(created).await, 1, "the same link");
    let link = reset_link(smtp.accepted().last().expect("an e-mail"));
    assert_eq!(second.visitor().get(&link).await.status(), 303);
}

#[on_both]
async fn a_request_for_an_unknown_address_leaves_nothing(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    forgets(&app, "nobody").await;
    assert_eq!(count(&app, "kind = 'reset_password'").await, 1);

    app.sends_due_emails().await;

    assert_eq!((smtp.connections(), count(&app, "TRUE").await), (0, 0));
}

#[on_both]
async fn an_email_later_than_an_hour_revokes_no_link(env: TestEnv) {
    let smtp = SmtpServer::start(SmtpBehaviour::default());
    let app = node(&env, &smtp).await;
    app.user("ada").await;
    app.sends_due_emails().await;
    forgets(&app, "ada").await;
    env.clock.advance(Duration::from_mins(50));
    let transaction = app.ctx.db.begin().await.expect("begins");
    let user = daemun::testing::types::UserId(1);
    let purpose = daemun::testing::links::Purpose::ResetPassword;
    let good = daemun::testing::links::create(&app.ctx, &transaction, purpose, user, None).await;
    transaction.commit().await.expect("committed");
    env.clock.advance(Duration::from_mins(10));

    app.sends_due_emails().await;

    assert_eq!((smtp.accepted().len(), given_up(&app, "too late").await), (1, 1));
    let link = format!("{RESET}/{}", good.expect("created").expose());
    assert_eq!(app.visitor().get(&link).await.status(), 303, "the other one still works");
}
