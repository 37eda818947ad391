//! E-mails are claimed by one node and sent once.

use std::collections::BTreeSet;
use std::time::Duration;

use daemun::flows;
use daemun::flows::system::email_delivery::Courier;
use daemun::mail::{Kind, Letter};
use daemun::outbox;
use daemun::outbox::Addressee;
use daemun::types::{Email, Language, Secret};
use futures::future::join_all;

use crate::support::app::email;
use crate::support::smtp::{Manners, PostOffice};
use crate::support::{App, World, on_both};

pub(crate) const RESET: &str = "/account/password/reset";

/// How long a claimed letter is left alone.
const CLAIM: Duration = Duration::from_mins(1);

const ALMOST_THE_CLAIM: Duration = Duration::from_secs(59);

/// A node whose letters go to this office.
pub(crate) async fn node(world: &World, office: &PostOffice) -> App {
    world.app_with(&[("mail_url", &format!("smtp://localhost:{}", office.port))]).await
}

/// A mail server that replies to something in a way of its own.
pub(crate) fn unkind(told: &'static str, reply: &'static str) -> PostOffice {
    PostOffice::opens(Manners { replies: vec![(told, reply)], ..Manners::default() })
}

pub(crate) fn addressee(name: &str) -> Addressee {
    let email = Email::parse(&email(name)).expect("an address");
    Addressee { user: None, email, language: Language::English }
}

/// Letters in the box, to `person0`, `person1` and so on.
pub(crate) async fn writes(app: &App, count: usize) {
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
pub(crate) async fn forgets(app: &App, name: &str) {
    let page = app.visitor().submits(RESET, &[("email", &email(name))]).await;
    assert_eq!(page.status(), 303, "{}", page.text());
}

/// How many letters of the box are so.
pub(crate) async fn count(app: &App, condition: &str) -> i64 {
    app.number(&format!("SELECT COUNT(*) FROM outbox WHERE {condition}")).await
}

/// How many letters were given up for a reason that begins or ends like this.
pub(crate) async fn given_up(app: &App, reason: &str) -> i64 {
    let condition = "due_at IS NULL AND failed_at IS NOT NULL AND sealed = ''";
    count(app, &format!("{condition} AND last_error LIKE '{reason}'")).await
}

/// How often the server was asked to take a letter to somebody.
pub(crate) fn tries(office: &PostOffice) -> usize {
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
