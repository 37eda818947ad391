//! Letters on their way: claimed by one node, sent once, tried again, given up.

use std::collections::BTreeSet;
use std::time::Duration;

use daemun::crypto::{Keys, MasterKey};
use daemun::flows;
use daemun::flows::system::email_delivery::Courier;
use daemun::mail::{Kind, Letter};
use daemun::outbox;
use daemun::outbox::Addressee;
use daemun::types::{Email, Language, Secret};
use futures::future::join_all;

use crate::support::app::email;
use crate::support::process::free_port;
use crate::support::smtp::{Manners, PostOffice, Taken};
use crate::support::{App, World, on_both};

const RESET: &str = "/account/password/reset";

/// How long a claimed letter is left alone.
const CLAIM: Duration = Duration::from_mins(1);

const ALMOST_THE_CLAIM: Duration = Duration::from_secs(59);

/// A node whose letters go to this office.
async fn node(world: &World, office: &PostOffice) -> App {
    world.app_with(&[("mail_url", &format!("smtp://localhost:{}", office.port))]).await
}

/// A mail server that replies to something in a way of its own.
fn unkind(told: &'static str, reply: &'static str) -> PostOffice {
    PostOffice::opens(Manners { replies: vec![(told, reply)], ..Manners::default() })
}

fn addressee(name: &str) -> Addressee {
    let email = Email::parse(&email(name)).expect("an address");
    Addressee { user: None, email, language: Language::English }
}

/// Letters in the box, to `person0`, `person1` and so on.
async fn writes(app: &App, count: usize) {
    let transaction = app.ctx.db.begin().await.expect("begins");
    for number in 0..count {
        let to = addressee(&format!("person{number}"));
        let letter = Letter::new(Kind::VerifyEmail).with_link(Secret::new("open-sesame".into()));
        let now = app.ctx.clock.now();
        outbox::put(&transaction, &app.ctx.keys, &to, &letter, now).await.expect("written");
    }
    transaction.commit().await.expect("committed");
}

/// Somebody asks for a reset link.
async fn forgets(app: &App, name: &str) {
    let page = app.visitor().submits(RESET, &[("email", &email(name))]).await;
    assert_eq!(page.status(), 303, "{}", page.text());
}

/// How many letters of the box are so.
async fn count(app: &App, condition: &str) -> i64 {
    app.number(&format!("SELECT COUNT(*) FROM outbox WHERE {condition}")).await
}

/// How many letters were given up for a reason that begins or ends like this.
async fn given_up(app: &App, reason: &str) -> i64 {
    let condition = "due_at IS NULL AND failed_at IS NOT NULL AND sealed = ''";
    count(app, &format!("{condition} AND last_error LIKE '{reason}'")).await
}

/// The path of the reset link in a letter.
fn reset_link(taken: &Taken) -> String {
    let message = mail_parser::MessageParser::default().parse(&taken.message).expect("a message");
    let text = message.body_text(0).expect("a text").into_owned();
    let (_, link) = text.split_once("/account/password/reset/").expect("a link");
    format!("{RESET}/{}", link.split_whitespace().next().expect("a token"))
}

/// How often the server was asked to take a letter to somebody.
fn tries(office: &PostOffice) -> usize {
    office.heard().iter().filter(|line| line.starts_with("RCPT")).count()
}

#[on_both]
async fn a_letter_is_never_sent_whose_cause_did_not_happen(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    {
        let transaction = app.ctx.db.begin().await.expect("begins");
        let (to, letter) = (addressee("ada"), Letter::new(Kind::PasswordChanged));
        let now = world.clock.now();
        outbox::put(&transaction, &app.ctx.keys, &to, &letter, now).await.expect("written");
    }

    app.delivers().await;

    assert_eq!((office.connections(), count(&app, "TRUE").await), (0, 0));
    app.execute("DELETE FROM outbox").await;
}

#[on_both]
async fn a_letter_that_was_sent_is_finished_and_says_nothing_any_more(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    writes(&app, 3).await;
    assert_eq!(count(&app, "sealed LIKE '%open-sesame%' OR sealed = ''").await, 0, "sealed");

    app.delivers().await;
    app.delivers().await;

    let message = office.taken()[0].message.clone();
    assert!(String::from_utf8_lossy(&message).contains("open-sesame"));
    let finished = "due_at IS NULL AND sent_at IS NOT NULL AND failed_at IS NULL";
    let is_silent = "sealed = '' AND last_error = '' AND attempts = 1";
    assert_eq!(count(&app, &format!("{finished} AND {is_silent}")).await, 3);
    assert_eq!(office.taken().len(), 3, "once each");
}

#[on_both]
async fn a_claim_is_never_for_more_than_was_asked(world: World) {
    let app = world.app().await;
    // The planner believes that there is one letter, and may look for it again for each of them.
    writes(&app, 1).await;
    app.execute("ANALYZE outbox").await;
    writes(&app, 200).await;
    let now = world.clock.now();

    let first = outbox::claim(&app.ctx.db, &app.ctx.keys, 40, now).await.expect("claimed");
    let second = outbox::claim(&app.ctx.db, &app.ctx.keys, 40, now).await.expect("claimed");

    assert_eq!((first.len(), second.len()), (40, 40));
    let ids: BTreeSet<_> = first.iter().chain(&second).map(|letter| letter.id).collect();
    assert_eq!(ids.len(), 80, "nobody's twice");
}

#[on_both]
async fn nodes_that_deliver_at_once_send_every_letter_once(world: World) {
    for count in [2, 4] {
        let office = PostOffice::opens(Manners::default());
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(node(&world, &office).await);
        }
        writes(&nodes[0], 200).await;

        join_all(nodes.iter().map(App::delivers)).await;

        let taken = office.taken();
        let people: BTreeSet<_> = taken.iter().map(|letter| letter.to.clone()).collect();
        assert_eq!((taken.len(), people.len()), (200, 200), "{count} nodes");
    }
}

#[on_both]
async fn a_letter_whose_node_died_is_sent_by_another_when_the_claim_is_over(world: World) {
    let office = PostOffice::opens(Manners::default());
    let (dies, lives) = (world.app().await, node(&world, &office).await);
    writes(&dies, 1).await;
    let ctx = &dies.ctx;
    let claimed = outbox::claim(&ctx.db, &ctx.keys, 40, world.clock.now()).await;
    assert_eq!(claimed.expect("claimed").len(), 1);

    world.clock.advance(ALMOST_THE_CLAIM);
    lives.delivers().await;
    assert_eq!(office.taken().len(), 0, "the other may still be at it");
    world.clock.advance(Duration::from_secs(1));
    lives.delivers().await;
    world.clock.advance(CLAIM);
    lives.delivers().await;

    assert_eq!(office.taken().len(), 1);
}

#[on_both]
async fn a_claim_is_renewed_for_as_long_as_its_letters_are_being_sent(world: World) {
    let mut slow = PostOffice::opens(Manners { stalls_at: Some("DATA"), ..Manners::default() });
    let quick = PostOffice::opens(Manners::default());
    let (app, other) = (node(&world, &slow).await, node(&world, &quick).await);
    writes(&app, 1).await;
    let courier = Courier::new(app.ctx.clone()).renewing_every(Duration::from_millis(5));
    let sending = rocket::tokio::spawn(async move { courier.deliver().await });
    slow.has_stalled().await;

    for _ in 0..5 {
        world.clock.advance(Duration::from_secs(50));
        let now = daemun::clock::to_micros(world.clock.now());
        let renewed = format!("is_claimed AND due_at = {now} + 60000000");
        while count(&app, &renewed).await == 0 {
            rocket::tokio::task::yield_now().await;
        }
        other.delivers().await;
    }
    slow.goes_on();

    let delivered = sending.await.expect("no panic").expect("delivered");
    assert_eq!((delivered.sent, slow.taken().len(), quick.taken().len()), (1, 1, 0));
    assert_eq!(count(&app, "sent_at IS NOT NULL AND due_at IS NULL AND attempts = 1").await, 1);
}

#[on_both]
async fn a_node_that_stood_still_longer_than_its_claim_begins_no_letter(world: World) {
    let mut slow = PostOffice::opens(Manners { stalls_at: Some("DATA"), ..Manners::default() });
    let quick = PostOffice::opens(Manners::default());
    let (app, other) = (node(&world, &slow).await, node(&world, &quick).await);
    // More than there are lanes, so that some letters are not begun when the clock jumps.
    writes(&app, 12).await;
    let courier = Courier::new(app.ctx.clone()).renewing_every(Duration::from_hours(1));
    let sending = rocket::tokio::spawn(async move { courier.deliver().await });
    for _ in 0..4 {
        slow.has_stalled().await;
    }

    world.clock.advance(CLAIM);
    let claimed = outbox::claim(&other.ctx.db, &other.ctx.keys, 40, world.clock.now()).await;
    for _ in 0..4 {
        slow.goes_on();
    }

    let delivered = sending.await.expect("no panic").expect("delivered");
    assert_eq!((claimed.expect("claimed").len(), delivered.sent), (12, 4));
    assert_eq!(count(&app, "is_claimed AND due_at IS NOT NULL AND attempts = 2").await, 8);
    world.clock.advance(CLAIM);
    other.delivers().await;
    assert_eq!((slow.taken().len(), quick.taken().len()), (4, 8));
}

#[on_both]
async fn whoever_comes_back_after_its_claim_changes_nothing(world: World) {
    let office = PostOffice::opens(Manners::default());
    let (slow, other) = (world.app().await, node(&world, &office).await);
    writes(&slow, 3).await;
    let ctx = &slow.ctx;
    let claimed = outbox::claim(&ctx.db, &ctx.keys, 40, world.clock.now()).await;
    let claimed = claimed.expect("claimed");
    world.clock.advance(CLAIM);
    other.delivers().await;

    let now = world.clock.now();
    outbox::failed(&ctx.db, &claimed[0], "not now", false, now).await.expect("told");
    outbox::failed(&ctx.db, &claimed[1], "never", true, now).await.expect("told");
    outbox::release(&ctx.db, &claimed, now).await.expect("told");
    other.delivers().await;

    let finished = "sent_at IS NOT NULL AND failed_at IS NULL AND due_at IS NULL";
    assert_eq!((office.taken().len(), count(&other, finished).await), (3, 3));
}

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
async fn whoever_is_stopped_begins_no_letter_and_gives_back_what_was_claimed(world: World) {
    let manners = Manners { stalls_at: Some("."), ..Manners::default() };
    let mut office = PostOffice::opens(manners);
    let app = node(&world, &office).await;
    writes(&app, 40).await;
    let courier = std::sync::Arc::new(Courier::new(app.ctx.clone()));
    let delivering = courier.clone();
    let delivering = tokio::spawn(async move { delivering.deliver().await });

    for _ in 0..4 {
        office.has_stalled().await;
    }
    courier.stop();
    for _ in 0..4 {
        office.goes_on();
    }

    let delivered = delivering.await.expect("no panic").expect("delivers");
    assert_eq!((delivered.sent, delivered.is_more), (4, false));
    assert_eq!(count(&app, "attempts = 0 AND due_at = created_at AND sent_at IS NULL").await, 36);
    assert_eq!((office.taken().len(), count(&app, "sent_at IS NOT NULL").await), (4, 4));
}

#[on_both]
async fn a_batch_goes_over_a_few_connections(world: World) {
    let office = PostOffice::opens(Manners::default());
    let app = node(&world, &office).await;
    writes(&app, 120).await;

    app.delivers().await;

    assert_eq!(office.taken().len(), 120);
    assert!(office.connections() <= 4, "{} connections", office.connections());
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
    let good = daemun::links::mint(&transaction, app.ctx.random, purpose, (user, None), now).await;
    transaction.commit().await.expect("committed");
    world.clock.advance(Duration::from_mins(10));

    app.delivers().await;

    assert_eq!((office.taken().len(), given_up(&app, "too late").await), (1, 1));
    let link = format!("{RESET}/{}", good.expect("minted").expose());
    assert_eq!(app.visitor().get(&link).await.status(), 303, "the other one still works");
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

#[on_both]
async fn no_page_speaks_to_the_mail_server(world: World) {
    let office = PostOffice::opens(Manners { stalls_at: Some("hello"), ..Manners::default() });
    let app = node(&world, &office).await;

    let mut ada = app.person("ada").await;
    forgets(&app, "ada").await;
    forgets(&app, "nobody").await;

    assert!(ada.is_signed_in().await);
    assert_eq!((office.connections(), count(&app, "attempts = 0").await), (0, 3));
}

#[test]
fn a_letter_that_cannot_be_struck_off_takes_no_other_with_it() {
    crate::support::tell(crate::support::world::Engine::Sqlite, |world| async move {
        let office = PostOffice::opens(Manners::default());
        let app = node(&world, &office).await;
        writes(&app, 40).await;
        let trigger = "CREATE TRIGGER jam BEFORE UPDATE ON outbox WHEN NEW.id = 1 \
                       AND NEW.sent_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'jammed'); END";
        app.execute(trigger).await;

        flows::system::email_delivery::deliver(&app.ctx).await.expect_err("one of them was jammed");

        assert_eq!((office.taken().len(), count(&app, "sent_at IS NOT NULL").await), (31, 30));
    });
}
