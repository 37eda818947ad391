//! E-mails that the mail server does not take: tried again, or marked as failed.

use std::collections::BTreeSet;
use std::time::Duration;

use daemun::crypto::{Keys, MasterKey};
use daemun::flows;
use daemun::flows::system::email_delivery::Courier;
use daemun::mail::{Kind, Letter};
use daemun::outbox;

use crate::email::email_delivery::{addressee, count, given_up, node, tries, unkind, writes};
use crate::support::process::free_port;
use crate::support::smtp::{Manners, PostOffice};
use crate::support::{World, on_both};

#[on_both]
async fn what_the_server_does_not_take_now_waits_twice_as_long_each_time(world: World) {
    let office = unkind("RCPT", "451 4.7.1 come back later");
    let app = node(&world, &office).await;
    writes(&app, 1).await;
    app.delivers().await;

    for (number, minutes) in [1, 2, 4, 8, 16, 32, 64, 128, 240, 240].into_iter().enumerate() {
        world.clock.advance(Duration::from_secs(minutes * 60 - 1));
        app.delivers().await;
        assert_eq!(tries(&office), number + 1, "{minutes} minutes are not over");
        world.clock.advance(Duration::from_secs(1));
        app.delivers().await;
        assert_eq!(tries(&office), number + 2, "{minutes} minutes are over");
    }

    assert_eq!(
        count(&app, "attempts = 11 AND last_error LIKE '%451 4.7.1%' AND sealed <> ''").await,
        1
    );
}

#[on_both]
async fn a_letter_is_tried_for_a_day_and_given_up_with_its_reason(world: World) {
    let office = unkind("RCPT", "451 4.7.1 come back later");
    let app = node(&world, &office).await;
    writes(&app, 1).await;

    let mut tried = BTreeSet::new();
    for minute in 0..=24 * 60 {
        app.delivers().await;
        if tries(&office) > tried.len() {
            tried.insert(minute);
        }
        world.clock.advance(Duration::from_mins(1));
    }

    let last = tried.last().copied().expect("tried");
    assert!((23 * 60..24 * 60).contains(&last), "to the end of the day: {tried:?}");
    assert_eq!(given_up(&app, "%: RCPT TO: 451 4.7.1 come back later").await, 1);
    world.clock.advance(Duration::from_hours(24));
    app.delivers().await;
    assert_eq!(tries(&office), tried.len(), "and then never again");
}

#[on_both]
async fn what_nobody_tried_for_a_day_comes_too_late(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    writes(&app, 1).await;
    app.execute("UPDATE outbox SET last_error = 'the last time'").await;
    world.clock.advance(Duration::from_hours(24));

    app.delivers().await;

    assert_eq!((office.connections(), given_up(&app, "too late%the last time").await), (0, 1));
}

#[on_both]
async fn what_the_server_will_never_take_is_given_up_at_once(world: World) {
    let office = unkind("RCPT TO:<person1@", "550 5.1.1 no such mailbox");
    let app = node(&world, &office).await;
    writes(&app, 3).await;

    app.delivers().await;

    assert_eq!(given_up(&app, "%: RCPT TO: 550 5.1.1 no such mailbox").await, 1);
    assert_eq!((office.taken().len(), count(&app, "sent_at IS NOT NULL").await), (2, 2));
}

#[on_both]
async fn where_the_server_is_away_the_rest_is_given_back_untried(world: World) {
    let url = format!("smtp://127.0.0.1:{}", free_port());
    let app = world.app_with(&[("mail_url", &url)]).await;
    writes(&app, 40).await;

    let delivered = flows::system::email_delivery::deliver(&app.ctx).await.expect("delivers");

    assert_eq!((delivered.sent, delivered.is_more), (0, false));
    let tried = count(&app, "attempts = 1").await;
    assert!((1..=4).contains(&tried), "one on each lane: {tried}");
    assert_eq!(count(&app, "attempts = 0 AND last_error = '' AND sealed <> ''").await, 40 - tried);
}

#[on_both]
async fn a_server_that_is_away_is_asked_less_and_less_often(world: World) {
    let office = unkind("hello", "421 4.3.2 closed");
    let app = node(&world, &office).await;
    writes(&app, 200).await;
    let courier = Courier::new(app.ctx.clone());

    let mut asked = Vec::new();
    for _ in 0..600 {
        while courier.deliver().await.expect("delivers").is_more {}
        asked.push(office.connections());
        world.clock.advance(Duration::from_secs(1));
    }

    assert!((1..=4).contains(&asked[4]), "nobody else while it is left alone: {asked:?}");
    assert!(asked[59] <= 8 && asked[599] <= 17, "{asked:?}");
    assert_eq!(count(&app, "attempts > 2").await, 0, "it is the server's fault, not theirs");
}

#[on_both]
async fn a_server_that_is_back_gets_everything_that_waited(world: World) {
    let closed = format!("smtp://127.0.0.1:{}", free_port());
    let away = world.app_with(&[("mail_url", &closed)]).await;
    writes(&away, 100).await;
    let courier = Courier::new(away.ctx.clone());
    courier.deliver().await.expect("nobody listens");
    let office = PostOffice::opens(Manners::default());
    let back = node(&world, &office).await;

    world.clock.advance(Duration::from_mins(1));
    back.delivers().await;

    let people: BTreeSet<_> = office.taken().into_iter().map(|letter| letter.to).collect();
    assert_eq!((office.taken().len(), people.len()), (100, 100));
}

#[on_both]
async fn a_letter_under_another_secret_key_is_given_up_and_stops_nobody_else(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    let keys = Keys::derive(&MasterKey::parse(&"f".repeat(64)).expect("a key"));
    let transaction = app.ctx.db.begin().await.expect("begins");
    let (to, letter) = (addressee("eve"), Letter::new(Kind::PasswordChanged));
    let now = world.clock.now();
    outbox::put(&transaction, &keys, &to, &letter, now).await.expect("written");
    transaction.commit().await.expect("committed");
    writes(&app, 2).await;

    app.delivers().await;

    assert_eq!(given_up(&app, "sealed under another secret_key").await, 1);
    assert_eq!(office.taken().len(), 2);
}

#[on_both]
async fn what_a_newer_version_wrote_is_left_to_it(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    writes(&app, 45).await;
    app.execute("UPDATE outbox SET kind = 'carrier_pigeon' WHERE id <= 42").await;
    app.execute("UPDATE outbox SET language = 'tlh' WHERE id = 43").await;

    app.delivers().await;

    assert_eq!(office.taken().len(), 2, "they stand in nobody's way");
    let untouched = "due_at = created_at AND attempts = 0 AND failed_at IS NULL AND sealed <> ''";
    assert_eq!(count(&app, untouched).await, 43);
    app.execute("UPDATE outbox SET kind = 'verify_email', language = 'en'").await;
    app.delivers().await;
    assert_eq!(office.taken().len(), 45);
}
