//! The e-mail of a password reset is made when it is sent.

use std::time::Duration;

use futures::future::join_all;

use crate::email::email_delivery::{RESET, count, forgets, given_up, node, tries, unkind};
use crate::support::app::email;
use crate::support::smtp::{Manners, PostOffice, Taken};
use crate::support::{App, World, on_both};

/// The path of the reset link in a letter.
fn reset_link(taken: &Taken) -> String {
    let message = mail_parser::MessageParser::default().parse(&taken.message).expect("a message");
    let text = message.body_text(0).expect("a text").into_owned();
    let (_, link) = text.split_once("/account/password/reset/").expect("a link");
    format!("{RESET}/{}", link.split_whitespace().next().expect("a token"))
}

#[on_both]
async fn a_reset_letter_is_one_letter_also_when_two_nodes_see_the_request(world: World) {
    let office = PostOffice::opens(Manners::default());
    let nodes = [node(&world, &office).await, node(&world, &office).await];
    nodes[0].person("ada").await;
    nodes[0].delivers().await;
    forgets(&nodes[0], "ada").await;

    join_all(nodes.iter().map(App::delivers)).await;

    let [_, letter] = &office.taken()[..] else { panic!("one after the first") };
    assert_eq!(letter.to, [email("ada")]);
    assert_eq!(nodes[1].visitor().get(&reset_link(letter)).await.status(), 303);
    let minted = "SELECT COUNT(*) FROM one_time_links WHERE purpose = 'reset_password'";
    assert_eq!(nodes[0].number(minted).await, 1);
}

#[on_both]
async fn a_reset_link_is_made_once_however_often_its_letter_is_tried(world: World) {
    let (busy, office) = (unkind("RCPT", "451 later"), PostOffice::opens(Manners::default()));
    let (first, second) = (node(&world, &busy).await, node(&world, &office).await);
    first.person("ada").await;
    second.delivers().await;
    forgets(&first, "ada").await;
    let minted = "SELECT COUNT(*) FROM one_time_links WHERE purpose = 'reset_password'";

    first.delivers().await;
    assert_eq!((tries(&busy), first.number(minted).await), (1, 1));
    world.clock.advance(Duration::from_mins(1));
    second.delivers().await;

    assert_eq!(second.number(minted).await, 1, "the same link");
    let link = reset_link(office.taken().last().expect("a letter"));
    assert_eq!(second.visitor().get(&link).await.status(), 303);
}

#[on_both]
async fn a_request_to_an_address_of_nobody_leaves_nothing_behind(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    forgets(&app, "nobody").await;
    assert_eq!(count(&app, "kind = 'reset_password'").await, 1);

    app.delivers().await;

    assert_eq!((office.connections(), count(&app, "TRUE").await), (0, 0));
}

#[on_both]
async fn a_reset_letter_that_would_come_after_an_hour_ends_no_link(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    app.person("ada").await;
    app.delivers().await;
    forgets(&app, "ada").await;
    world.clock.advance(Duration::from_mins(50));
    let transaction = app.ctx.db.begin().await.expect("begins");
    let (user, now) = (daemun::types::UserId(1), world.clock.now());
    let purpose = daemun::links::Purpose::ResetPassword;
    let good =
        daemun::links::create(&transaction, app.ctx.random, purpose, (user, None), now).await;
    transaction.commit().await.expect("committed");
    world.clock.advance(Duration::from_mins(10));

    app.delivers().await;

    assert_eq!((office.taken().len(), given_up(&app, "too late").await), (1, 1));
    let link = format!("{RESET}/{}", good.expect("minted").expose());
    assert_eq!(app.visitor().get(&link).await.status(), 303, "the other one still works");
}
