//! What is said of a password while it is typed, and that the forms say the same.

use std::time::Duration;

use serde_json::Value;

use crate::support::hashing_queue::FullHashingQueue;
use crate::support::{App, Browser, GOOD, NEW, Page, TestEnv, on_both};

const METER: &str = "/account/password/strength";
const JOIN: &str = "/account/join";

/// Passwords that are refused here.
const REFUSED: [&str; 52] = [
    // Too short, or nothing but digits.
    "xK9#q2",
    "8273645192",
    "20240315",
    // Common everywhere, on one list or the other.
    "password",
    "password1",
    "Password123",
    "p@ssw0rd",
    "P@ssw0rd1!",
    "iloveyou",
    "iloveyou2024!!",
    "letmein1",
    "monkey2019",
    "monkey2019!!",
    "dragon123",
    "fallen_angel",
    "lilmama12",
    "Welcome1!",
    "princess99",
    // Keyboards.
    "qwertyuiop",
    "qwerty123!",
    "1q2w3e4r!",
    "asdfghjkl1",
    "zxcvbnm123",
    "!@#$%^&*()",
    // Rows and repetitions.
    "aaaaaaaaaaaa",
    "abcdefgh1",
    "abc123abc123",
    "hahahahahaha",
    "11112222aa",
    // Korean on a Latin keyboard, and in Hangul.
    "dkssudgktpdy",
    "DKSSUDGKTPDY",
    "rkskekfk1!",
    "tkfkdgo123",
    "tkfkdgody1004",
    "eogksalsrnr",
    "qlalfqjsgh1!",
    "tjdnf2024!",
    "rlaalswns99",
    "ghdrlfehd1!",
    "안녕하세요안녕하세요",
    "사랑합니다123",
    "대한민국2024!!",
    "비밀번호1234",
    // Korea, romanised.
    "Korea2026!",
    "Korea2026!!",
    "Seoul2024!",
    "saranghae1!",
    "gangnam2025!",
    "kimminjun99",
    "Annyeonghaseyo1",
    // The site.
    "daemun1234!",
    "Daemun2026!!",
];

/// Passwords that are good enough.
const TAKEN: [&str; 20] = [
    GOOD,
    NEW,
    "Tr33-house&Kettle",
    "vo7Cs!x2mQpd",
    "kR7$wq-29Lm",
    "harbour lamp violet",
    "seven otters count stars",
    "대문 앞에 살구나무 두 그루",
    " 숲속의 작은 집 옆 우물 ",
    "강물이 풀리면 배가 뜨네",
    "노을 지는 언덕에서 국수 세 그릇",
    "eoans dkvdp tkfrnskan enrmfn",
    "tjdnf qkaqkekr tpqufEh 41",
    "seoul@6k!Vq7zR",
    "daemun likes nine grey herons",
    "👩‍👩‍👧‍👦 family of four on a hill",
    "C0rr3ct-H0rs3-8attery-$taple",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa vo7Cs!x2mQpd",
    "J'ai mangé une pomme verte",
    "Ξεσκεπάζω την ψυχοφθόρα",
];

/// What the meter says: whether the password is good, and the sentences.
fn said(page: &Page) -> (bool, Vec<String>) {
    assert_eq!(page.status(), 200, "{}", page.text());
    let answer: Value = serde_json::from_slice(page.bytes()).expect("JSON");
    let sentences = answer["sentences"].as_array().expect("a list").iter();
    let sentences = sentences.map(|sentence| sentence.as_str().expect("a text").to_owned());
    (answer["is_good"].as_bool().expect("yes or no"), sentences.collect())
}

async fn asks(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> (bool, Vec<String>) {
    said(&browser.submits(METER, fields).await)
}

/// Asks the meter and then the form, as the script of the page does; tells whether it is taken.
async fn is_taken(app: &App, number: usize, password: &str, language: &str) -> bool {
    let place = format!("198.51.{}.{}:1", number / 200, number % 200 + 1);
    let mut visitor = app.visitor().from(&place).with("Accept-Language", language);
    let email = format!("reader{number}@mail.example");

    let (is_good, sentences) =
        asks(&mut visitor, &[("owner", "form"), ("email", &email), ("password", password)]).await;
    let fields = [("email", &*email), ("password1", password), ("password2", password)];
    let page = visitor.submits(JOIN, &fields).await;

    if page.status() == 303 {
        let good = if language == "ko" { "좋습니다." } else { "Looks good." };
        assert_eq!((is_good, sentences), (true, vec![good.to_owned()]), "{password}");
        return true;
    }
    assert_eq!(page.status(), 422, "{password}");
    assert_eq!((is_good, sentences), (false, page.field("password1").errors), "{password}");
    false
}

#[on_both]
async fn the_meter_and_the_form_agree(env: TestEnv) {
    let app = env.app().await;
    let mut number = 0;
    for language in ["en", "ko"] {
        let rows = REFUSED.iter().map(|it| (it, false)).chain(TAKEN.iter().map(|it| (it, true)));
        for (password, expected) in rows {
            number += 1;
            assert_eq!(is_taken(&app, number, password, language).await, expected, "{password}");
        }
    }
}

#[on_both]
async fn the_users_own_details_count_as_weak(env: TestEnv) {
    let app = env.app().await;
    let mut kestrel = app.user("kestrelmarsh").await;
    kestrel.requests_password_reset("kestrelmarsh@example.com").await;
    let link = app.last_email_to("kestrelmarsh@example.com").await.link("/account/password/reset/");
    let own = "kestrelmarsh7!".to_owned();
    let similar = (false, vec!["This password is too similar to your email.".to_owned()]);

    let mut visitor = app.visitor();
    let (is_good, _) = asks(&mut visitor, &[("password", "kestrelmarsh7!kq")]).await;
    assert!(is_good, "of a stranger it is good enough");
    let typed = [("email", "kestrelmarsh@mail.example"), ("password", &*own)];
    assert_eq!(asks(&mut visitor, &typed).await, similar, "typed");
    assert_eq!(asks(&mut kestrel, &[("owner", "self"), ("password", &own)]).await, similar);
    let mut reader = app.visitor();
    assert_eq!(reader.get(&link).await.location(), Some("/account/password/new"));
    assert_eq!(asks(&mut reader, &[("owner", "link"), ("password", &own)]).await, similar);
    let born = [("date_of_birth", "1990-04-17"), ("password", "17041990-0417")];
    assert!(!asks(&mut visitor, &born).await.0);
}

#[on_both]
async fn a_check_needs_a_form_token_and_a_post(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let before = app.row_counts().await;

    assert_eq!(visitor.post(METER, &[("password", GOOD)]).await.status(), 403);
    let mut elsewhere = visitor.clone().with("Sec-Fetch-Site", "cross-site");
    let fields = [("csrf", &*token), ("password", GOOD)];
    assert_eq!(elsewhere.post(METER, &fields).await.status(), 403);
    assert_eq!(visitor.get(&format!("{METER}?password=x")).await.status(), 405);
    assert_eq!(app.row_counts().await, before);

    let page = visitor.submits(METER, &[("password", GOOD)]).await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("content-type"), Some("application/json"));
    assert!(!page.text().contains(GOOD));
    assert_eq!(visitor.submits(METER, &[("password", "")]).await.status(), 422);
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    assert!(policy.contains("connect-src 'self'"), "{policy}");
}

#[on_both]
async fn checks_are_rate_limited_and_signing_up_still_works(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let fields = [("csrf", &*token), ("password", "1234")];
    let mut asked = 0;
    let refused = loop {
        let page = visitor.post(METER, &fields).await;
        if page.status() != 200 {
            break page;
        }
        asked += 1;
        assert!(asked <= 601, "it is never enough");
    };

    // The first question that is not free is answered, and the next one has to wait.
    let wait = refused.header("retry-after");
    assert_eq!((asked, refused.status(), wait), (601, 429, Some("2")));
    let mut neighbour = app.visitor().from("198.51.100.9:1");
    assert_eq!(neighbour.submits(METER, &[("password", "1234")]).await.status(), 200);
    assert_eq!(visitor.signs_up("new@example.com", GOOD).await.status(), 303);
    env.clock.advance(Duration::from_secs(3));
    assert_eq!(app.visitor().submits(METER, &[("password", "1234")]).await.status(), 200);
}

#[on_both]
async fn strength_checks_do_not_wait_for_hashing(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let full_queue = FullHashingQueue::on(&app).await;

    assert!(asks(&mut visitor, &[("password", GOOD)]).await.0);
    let mistyped = [("email", "new@example.com"), ("password1", "1234"), ("password2", "12")];
    let page = visitor.submits(JOIN, &mistyped).await;
    assert_eq!(page.status(), 422);
    assert!(page.field("password1").errors.len() >= 3);
    let full = visitor.signs_up("new@example.com", GOOD).await;
    assert_eq!((full.status(), full.header("retry-after")), (503, Some("5")));

    full_queue.release().await;
}

#[on_both]
async fn logins_do_not_wait_for_strength_checks(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (tell, begun) = rocket::tokio::sync::oneshot::channel();
    let ctx = app.ctx.clone();
    let weighing = rocket::tokio::spawn(async move {
        let work = move |(): &mut ()| {
            let _ = tell.send(());
            let _ = held.recv();
        };
        ctx.strength_queue.run(work).await
    });
    begun.await.expect("the thread that weighs is busy");

    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);

    drop(release);
    assert_eq!(weighing.await.expect("no panic"), Ok(()));
}

#[on_both]
async fn every_form_with_a_new_password_has_a_meter(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut root = app.superuser("root").await;
    ada.requests_password_reset("ada@example.com").await;
    let link = app.last_email_to("ada@example.com").await.link("/account/password/reset/");
    let mut reader = app.visitor();
    reader.get(&link).await;
    let pages = [
        (app.visitor().get(JOIN).await, "password1", "form"),
        (ada.get("/account/password/change").await, "new_password1", "self"),
        (reader.get("/account/password/new").await, "new_password1", "link"),
        (root.get("/admin/users/new").await, "password1", "form"),
    ];
    for (page, field, owner) in pages {
        let meter = ".strength";
        assert_eq!(page.attribute(meter, "data-strength-of").as_deref(), Some(field));
        assert_eq!(page.attribute(meter, "data-owner").as_deref(), Some(owner));
        assert_eq!(page.texts(meter), [""], "without the script it says nothing");
    }
}
