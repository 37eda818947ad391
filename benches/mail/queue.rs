//! A long queue: 10,000 e-mails that wait are sent to a mail server that takes everything, and the
//! same e-mails go there once more without a database, which is the floor.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use daemun::testing::mail::{EmailContent, EmailKind, Envelope};
use daemun::testing::outbox;
use daemun::testing::outbox::Recipient;
use daemun::testing::types::{Email, Language, Secret};
use sea_orm::ConnectionTrait as _;
use time::OffsetDateTime;

use crate::client::runtime;
use crate::sink::Sink;
use crate::site::{Site, USERS};

pub(crate) const EMAILS: usize = 10_000;

/// E-mails that the server has on the wire at once.
const LANES: usize = 4;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Far longer than it takes.
const GIVE_UP: Duration = Duration::from_secs(50);

/// What the queue cost.
pub(crate) struct Queue {
    /// E-mails per second, from the first that arrived to the last.
    pub(crate) rate: f64,
    /// The same without a database.
    pub(crate) floor: f64,
    pub(crate) connections: usize,
    /// Megabytes that the server held before, at most meanwhile, and afterwards.
    pub(crate) memory: Option<[f64; 3]>,
}

pub(crate) fn measure(site: &Site, sink: &Sink) -> Queue {
    runtime().block_on(write(site));
    let (before_emails, before_connections) = (sink.taken(), sink.connections());
    let server = site.serve();
    let resident = || server.memory().map(|memory| memory.resident);
    let idle = resident();
    let start = Instant::now();
    let (mut first, mut peak) = (None, idle);
    while sink.taken() - before_emails < EMAILS {
        assert!(start.elapsed() < GIVE_UP, "e-mails are lost");
        thread::sleep(if first.is_some() { LOOK_EVERY } else { Duration::from_millis(1) });
        if first.is_none() && sink.taken() > before_emails {
            first = Some(Instant::now());
        }
        peak = peak.zip(resident()).map(|(before, now)| before.max(now));
    }
    let took = first.expect("e-mails arrived").elapsed();
    let connections = sink.connections() - before_connections;
    // The last of them are struck off, and whatever is not needed any more is given back.
    thread::sleep(Duration::from_secs(1));
    let after = resident();
    drop(server);
    assert_eq!(sink.taken() - before_emails, EMAILS, "each once");
    Queue {
        rate: rate(took),
        floor: rate(floor(site)),
        connections,
        memory: idle.zip(peak).zip(after).map(|((idle, peak), after)| [idle, peak, after]),
    }
}

#[expect(clippy::cast_precision_loss, reason = "ten thousand is no large number")]
fn rate(took: Duration) -> f64 {
    EMAILS as f64 / took.as_secs_f64()
}

fn content() -> EmailContent {
    EmailContent::new(EmailKind::VerifyEmail).with_link(Secret::new("open-sesame".repeat(4)))
}

fn recipient(number: usize) -> Recipient {
    let email = Email::parse(&format!("person{number}@example.com")).expect("an address");
    Recipient { user: None, email, language: Language::Korean }
}

/// Puts the e-mails into the box, and nothing else is in it.
async fn write(site: &Site) {
    assert!(EMAILS <= USERS as usize, "one e-mail to each user");
    let ctx = site.open().await;
    let transaction = ctx.db.begin().await.expect("the database is ours");
    let connection = transaction.connection();
    connection.execute_unprepared("DELETE FROM outbox").await.expect("the box can be emptied");
    for number in 0..EMAILS {
        let (to, content, now) = (recipient(number), content(), ctx.clock.now());
        let put = outbox::enqueue(&transaction, &ctx.keys, &to, &content, now).await;
        put.expect("an e-mail can be written");
    }
    transaction.commit().await.expect("the database is ours");
    ctx.db.close().await;
}

/// The same e-mails in the same lanes, straight to the mail server.
fn floor(site: &Site) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        let ctx = Arc::new(site.open().await);
        let start = Instant::now();
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let ctx = ctx.clone();
                tokio::spawn(async move {
                    for number in (lane..EMAILS).step_by(LANES) {
                        let (to, id) = (recipient(number), number.to_string());
                        let envelope = Envelope {
                            id: &id,
                            to: &to.email,
                            language: to.language,
                            written_at: OffsetDateTime::UNIX_EPOCH,
                        };
                        ctx.mailer.send(&envelope, &content()).await.expect("it takes everything");
                    }
                })
            })
            .collect();
        for lane in lanes {
            lane.await.expect("no lane panics");
        }
        start.elapsed()
    })
}
