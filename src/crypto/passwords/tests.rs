//! Comparing passwords with hashes of ours and of Django, and the queue before the threads.

use super::*;
use crate::crypto::django_hashes::UnsupportedHash;

const CHEAP: HashCost = HashCost { memory: 64, passes: 1, lanes: 1 };

fn typed(text: &str) -> Password {
    Password::parse(text).expect("typed")
}

#[tokio::test]
async fn the_right_password_is_recognised_and_no_other() {
    let hasher = Hasher::start(CHEAP, Random);
    let hash = hasher.hash(typed("open sesame")).await.expect("room");

    let right = hasher.verify(typed("open sesame"), Some(hash.clone())).await.expect("room");
    let wrong = hasher.verify(typed("open barley"), Some(hash)).await.expect("room");

    assert!(right.is_correct && !right.is_outdated);
    assert!(!wrong.is_correct);
}

#[tokio::test]
async fn passwords_that_differ_after_72_bytes_differ() {
    let hasher = Hasher::start(CHEAP, Random);
    let long = "x".repeat(72);
    let hash = hasher.hash(typed(&format!("{long}a"))).await.expect("room");

    let other = hasher.verify(typed(&format!("{long}b")), Some(hash)).await.expect("room");

    assert!(!other.is_correct);
}

#[tokio::test]
async fn nobody_has_no_password_and_costs_as_much_as_anybody() {
    let hasher = Hasher::start(CHEAP, Random);

    let verdict = hasher.verify(typed("anything"), None).await.expect("room");
    let somebody = hasher.hash(typed("anything")).await.expect("room");

    assert!(!verdict.is_correct);
    let cost = |hash: &PasswordHash| match Readable::of(hash) {
        Some(Readable::Argon2id(cost, ..)) => format!("{cost:?}"),
        _ => panic!("{hash:?}"),
    };
    assert_eq!(cost(&hasher.dummy_hash), cost(&somebody));
}

#[tokio::test]
async fn a_hash_of_lower_cost_is_outdated() {
    let yesterday = Hasher::start(CHEAP, Random);
    let hash = yesterday.hash(typed("open sesame")).await.expect("room");
    let today = Hasher::start(HashCost { passes: 2, ..CHEAP }, Random);

    let verdict = today.verify(typed("open sesame"), Some(hash)).await.expect("room");

    assert!(verdict.is_correct && verdict.is_outdated);
}

#[tokio::test]
async fn a_damaged_or_foreign_hash_matches_nothing() {
    let hasher = Hasher::start(CHEAP, Random);
    for stored in ["", "x", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ", "md5$a$b"] {
        let stored = PasswordHash::from_stored(stored.into());
        let verdict = hasher.verify(typed("x"), Some(stored)).await.expect("room");
        assert!(!verdict.is_correct);
    }
}

/// Made by Django 5.2 with `make_password("Correct-Horse-9", salt, hasher)`.
const DJANGO: [&str; 2] = [
    "pbkdf2_sha256$1000000$Q3mZ8vT1kLpRs0$Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=",
    "argon2$argon2id$v=19$m=102400,t=2,p=8$UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M",
];

#[tokio::test]
async fn a_hash_of_djangos_opens_and_is_outdated() {
    let hasher = Hasher::start(CHEAP, Random);
    for hash in DJANGO {
        let hash = PasswordHash::from_django(hash).expect("known").expect("a password");

        let right = hasher.verify(typed("Correct-Horse-9"), Some(hash.clone())).await;
        let wrong = hasher.verify(typed("correct-horse-9"), Some(hash)).await;

        assert!(right.expect("room").is_correct && !wrong.expect("room").is_correct);
    }
    let hash = PasswordHash::from_django(DJANGO[0]).expect("known");
    let verdict = hasher.verify(typed("Correct-Horse-9"), hash).await.expect("room");
    assert!(verdict.is_outdated, "it is made anew at the next log-in");
}

#[test]
fn what_cannot_be_compared_is_not_taken_over() {
    assert_eq!(PasswordHash::from_django("!kPq3unusable"), Ok(None));
    let good = DJANGO[0];
    for bad in [
        "",
        "plain text",
        "md5$salt$0123",
        "bcrypt_sha256$$2b$12$abc",
        "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHQ$AAAA",
        "argon2$argon2id$v=19$m=999999999,t=2,p=1$c2FsdHNhbHQ$AAAA",
        "pbkdf2_sha256$0$salt$x",
        &good.replace("pbkdf2_sha256$", "pbkdf2_sha256$99999999"),
        &good[..good.len() - 5],
        &format!("{good}$"),
        &good.replace("Q3m", "Q3\0m"),
    ] {
        assert_eq!(PasswordHash::from_django(bad), Err(UnsupportedHash), "{bad}");
    }
}

#[tokio::test]
async fn whoever_finds_the_queue_full_is_told_at_once() {
    let hasher = Hasher::start(CHEAP, Random);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let gate = Arc::new(std::sync::Barrier::new(cores + 1));
    // Each thread is first known to be busy; only then is the queue filled to its end.
    let mut waiting = Vec::new();
    let started = Arc::new(std::sync::Barrier::new(cores + 1));
    for _ in 0..cores {
        let (gate, started, hasher) = (gate.clone(), started.clone(), hasher.clone());
        waiting.push(tokio::spawn(async move {
            hasher
                .run_on_thread(move || {
                    started.wait();
                    gate.wait();
                })
                .await
        }));
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(move || started.wait()).await.expect("all threads are busy");
    for _ in 0..QUEUE {
        let hasher = hasher.clone();
        waiting.push(tokio::spawn(async move { hasher.run_on_thread(|| ()).await }));
    }
    while hasher.waiting() < QUEUE {
        tokio::task::yield_now().await;
    }

    let refused = hasher.run_on_thread(|| ()).await;

    assert_eq!(refused, Err(QueueFull));
    tokio::task::spawn_blocking(move || gate.wait()).await.expect("the gate opens");
    for answer in waiting {
        assert_eq!(answer.await.expect("no panic"), Ok(()));
    }
}

#[tokio::test]
async fn this_machine_computes_what_django_makes() {
    let hasher = Hasher::start(CHEAP, Random);

    let limit = hasher.import_limit().await.expect("room");

    // A tenth of what Django makes, for machines that are slow or busy.
    for text in [
        "pbkdf2_sha256$100000$Q3mZ8vT1kLpRs0$Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=",
        "argon2$argon2id$v=19$m=10240,t=2,p=8$UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M",
    ] {
        let hash = PasswordHash::from_django(text).expect("known").expect("a password");
        assert!(limit.allows(&hash), "{text}: {limit:?}");
    }
}
