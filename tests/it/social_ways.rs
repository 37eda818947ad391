//! Each provider in its own words, phones, one's own connections, and the page of staff.

use serde_json::json;

use crate::social::{comes_back, dances, registers, registers_as, sets_out, with_issuer};
use crate::support::provider::Provider;
use crate::support::{App, GOOD, World, on_both};

/// A provider of this kind, which knows somebody.
async fn that_knows(app: &App, kind: &str, person: &serde_json::Value) -> Provider {
    let provider = Provider::open().await;
    registers(app, &provider, &[("provider", kind), ("app_id", "77")]).await;
    provider.redeems(None);
    provider.says("/me", 200, person);
    provider
}

fn kakao(is_verified: bool) -> serde_json::Value {
    json!({"id": 4242, "kakao_account": {
        "email": "ada@example.com", "is_email_valid": true, "is_email_verified": is_verified,
        "profile": {"nickname": "에이다"},
    }})
}

#[on_both]
async fn every_provider_is_understood_in_its_own_words(world: World) {
    let people = [
        ("kakao", kakao(true), true),
        (
            "naver",
            json!({"resultcode": "00", "message": "success", "response": {
            "id": "n-1", "email": "ada@example.com", "name": "에이다"}}),
            false,
        ),
        (
            "google",
            json!({"sub": "g-1", "email": "ada@example.com", "email_verified": true,
            "name": "Ada"}),
            true,
        ),
        ("facebook", json!({"id": "12", "name": "Ada", "email": "ada@example.com"}), false),
        ("github", json!({"id": 9, "login": "ada", "email": "shown@example.com"}), true),
    ];
    let app = world.app().await;
    for (kind, person, is_verified) in people {
        let provider = that_knows(&app, kind, &person).await;
        let emails = json!([{"email": "ada@example.com", "primary": true, "verified": true}]);
        provider.says("/me/emails", 200, emails);
        let mut ada = app.visitor();
        let asked = sets_out(&mut ada, kind).await;

        let answer = comes_back(&mut ada, kind, &asked["state"]).await;

        assert_eq!(answer.location(), Some("/?a=b"), "{kind}: {}", answer.text());
        let proved = "SELECT COUNT(*) FROM users WHERE email = 'ada@example.com'
                AND email_verified_at IS NOT NULL";
        assert_eq!(app.number(proved).await, i64::from(is_verified), "{kind}");
        let sent = &provider.asked("/token")[0].form;
        assert_eq!(sent["client_secret"], "our-secret", "{kind}");
        assert!(sent.contains_key("code_verifier"), "{kind}");
        app.execute("DELETE FROM users WHERE email = 'ada@example.com'").await;
        app.execute("DELETE FROM users WHERE email = 'root@example.com'").await;
    }
}

#[on_both]
async fn an_access_token_is_taken_only_if_it_was_issued_to_us(world: World) {
    let app = world.app().await;
    let provider = that_knows(&app, "kakao", &kakao(true)).await;
    let body = r#"{"access_token": "from-the-phone"}"#;
    let sends = || app.visitor().sends_json("/api/account/social/kakao", body);

    provider.says("/info", 200, json!({"id": 4242, "app_id": 78}));
    let answer = sends().await;
    assert_eq!((answer.status(), answer.text().contains("Incorrect value")), (400, true));
    provider.says("/info", 401, json!({"code": -401}));
    assert_eq!(sends().await.status(), 400);
    assert!(provider.asked("/me").is_empty(), "nobody is asked who holds it");

    provider.says("/info", 200, json!({"id": 4242, "app_id": 77}));
    let answer = sends().await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(answer.text().contains(r#""email":"ada@example.com""#));
    assert!(provider.asked("/me")[0].head.contains("Bearer from-the-phone"));
}

#[on_both]
async fn facebook_is_asked_whose_token_it_is(world: World) {
    let app = world.app().await;
    let person = json!({"id": "12", "name": "Ada", "email": "ada@example.com"});
    let provider = that_knows(&app, "facebook", &person).await;
    let body = r#"{"access_token": "from-the-phone"}"#;
    for (said, status) in [
        (json!({"data": {"app_id": "78", "is_valid": true}}), 400),
        (json!({"data": {"app_id": "77", "is_valid": false}}), 400),
        (json!({"data": {"app_id": "77", "is_valid": true}}), 200),
    ] {
        provider.says("/info", 200, &said);
        let answer = app.visitor().sends_json("/api/account/social/facebook", body).await;
        assert_eq!(answer.status(), status, "{said}: {}", answer.text());
    }
    assert_eq!(provider.asked("/info")[0].query["access_token"], "77|our-secret");
}

#[on_both]
async fn a_phone_is_told_what_is_missing_and_what_is_wrong(world: World) {
    let app = world.app().await;
    let provider = with_issuer(&app).await;
    let now = app.ctx.clock.now();
    let sends = |body: serde_json::Value| {
        let visitor = app.visitor();
        async move { visitor.sends_json("/api/account/social/id", &body.to_string()).await }
    };
    let nothing = sends(json!({})).await;
    assert_eq!(nothing.status(), 400);
    assert!(nothing.text().contains("Incorrect input. access_token or code is required."));
    assert_eq!(sends(json!({"access_token": "x"})).await.status(), 400, "of whom is not known");
    let mut foreign = provider.claims("ada", now);
    foreign["aud"] = json!("them");
    assert_eq!(sends(json!({"id_token": provider.signs(&foreign)})).await.status(), 400);
    assert_eq!(sends(json!({"id_token": "a.b.c"})).await.status(), 400);
    let mut nameless = provider.claims("ada", now);
    nameless.as_object_mut().expect("an object").remove("email");
    let token = provider.signs(&nameless);
    let asked = sends(json!({ "id_token": token })).await;
    assert_eq!((asked.status(), asked.text().contains("\"email\"")), (400, true));

    let typed = sends(json!({"id_token": token, "email": "ada@example.com"})).await;
    assert_eq!(typed.status(), 200, "{}", typed.text());
    assert!(typed.text().contains(r#""email_verified":false"#));
}

#[on_both]
async fn somebody_without_an_address_is_asked_for_one(world: World) {
    let app = world.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();

    let answer = dances(&mut ada, &app, &provider, &json!({ "email": null })).await;

    assert_eq!(answer.location(), Some("/account/join/address"));
    assert_eq!(ada.get("/account/join/address").await.status(), 200);
    let wrong = ada.submits("/account/join/address", &[("email", "ada")]).await;
    assert_eq!(wrong.status(), 422);
    let answer = ada.submits("/account/join/address", &[("email", "ada@example.com")]).await;
    assert_eq!(answer.location(), Some("/?a=b"));
    app.letter_to("ada@example.com").await.link("/account/email/verify/");
    assert_eq!(ada.get("/account/join/address").await.status(), 404);
}

#[on_both]
async fn where_addresses_must_be_proved_nobody_learns_that_one_is_taken(world: World) {
    let app = world.app_with(&[("email_verification", "mandatory")]).await;
    let provider = with_issuer(&app).await;
    let claims = json!({ "email_verified": false });

    let free = dances(&mut app.visitor(), &app, &provider, &claims).await;
    let claims = json!({ "sub": "eve", "email_verified": false });
    let taken = dances(&mut app.visitor(), &app, &provider, &claims).await;

    assert_eq!(free.location(), Some("/account/join/sent"));
    assert_eq!(taken.location(), Some("/account/join/sent"));
    assert_eq!(app.living().await, 1, "root alone");
}

#[on_both]
async fn a_provider_is_connected_and_disconnected_but_never_the_last_way(world: World) {
    let app = world.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.person("ada").await;

    let answer = dances(&mut ada, &app, &provider, &json!({ "sub": "a" })).await;

    assert_eq!(answer.location(), Some("/account/connections"), "{}", answer.text());
    let page = ada.get("/account/connections").await;
    assert!(page.text().contains("Our ID"));
    let id = app.number("SELECT id FROM social_identities").await;
    let path = format!("/account/connections/{id}/disconnect");
    let mut eve = app.person("eve").await;
    let stolen = dances(&mut eve, &app, &provider, &json!({ "sub": "a" })).await;
    assert_eq!(stolen.status(), 422, "it opens another account, and nobody says whose");
    assert!(!stolen.text().contains("ada@"));
    assert_eq!(eve.submits(&path, &[]).await.status(), 422, "not hers");
    app.execute("UPDATE users SET password_hash = NULL WHERE email = 'ada@example.com'").await;
    assert_eq!(ada.submits(&path, &[]).await.status(), 422, "the last way in");
    dances(&mut ada, &app, &provider, &json!({ "sub": "b" })).await;
    assert_eq!(ada.submits(&path, &[]).await.location(), Some("/account/connections"));
    assert_eq!(app.number("SELECT COUNT(*) FROM social_identities").await, 1);
    assert_eq!(app.events("social_disconnected").await, 1);
}

#[on_both]
async fn a_provider_that_knows_somebody_twice_is_one_way_in(world: World) {
    let app = world.app().await;
    let provider = Provider::open().await;
    let mut root = app.superuser("root").await;
    for slug in ["one", "two"] {
        registers_as(&mut root, &provider, &[("provider", "kakao"), ("slug", slug)]).await;
    }
    app.person("ada").await;
    let ada = app.id_of("ada").await;
    for (subject, slug) in [("1", "one"), ("2", "two"), ("3", "one")] {
        app.execute(&format!(
            "INSERT INTO social_identities
                 (user_id, provider, issuer, subject, label, connected_at, used_at)
                 VALUES ({ada}, '{slug}', 'kakao:{slug}', '{subject}', '', 0, 0)"
        ))
        .await;
    }

    let ways = daemun::social::ways_of(&app.ctx, daemun::types::UserId(ada)).await;

    assert_eq!(ways.expect("answers"), ["one", "two"]);
}

#[on_both]
async fn of_two_ways_in_that_go_at_once_one_stays(world: World) {
    let app = world.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    dances(&mut ada, &app, &provider, &json!({ "sub": "a" })).await;
    dances(&mut ada, &app, &provider, &json!({ "sub": "b" })).await;
    let first = app.number("SELECT MIN(id) FROM social_identities").await;
    let second = app.number("SELECT MAX(id) FROM social_identities").await;
    assert_ne!(first, second);

    let tries =
        [first, second].map(|id| {
            let mut ada = ada.clone();
            async move {
                ada.submits(&format!("/account/connections/{id}/disconnect"), &[]).await.status()
            }
        });
    let mut told = futures::future::join_all(tries).await;

    told.sort_unstable();
    assert_eq!(told, [303, 422]);
    assert_eq!(app.number("SELECT COUNT(*) FROM social_identities").await, 1);
}

#[on_both]
async fn connecting_asks_for_the_proof_again_and_ends_in_the_session_that_began_it(world: World) {
    let app = world.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.person("ada").await;
    let asked = sets_out(&mut ada, "id").await;
    let mut claims = provider.claims("x", app.ctx.clock.now());
    claims["nonce"] = json!(asked["nonce"]);
    provider.redeems(Some(provider.signs(&claims)));
    ada.logs_out().await;
    ada.joins("eve@example.com", GOOD).await;

    assert_eq!(comes_back(&mut ada, "id", &asked["state"]).await.status(), 403);
    assert_eq!(app.number("SELECT COUNT(*) FROM social_identities").await, 0);
    app.ctx.clock.advance(std::time::Duration::from_mins(11));
    let answer = ada.submits("/account/social/id", &[]).await;
    assert!(answer.location().expect("a way").starts_with("/account/sudo?next="));
}

#[on_both]
async fn staff_see_what_is_wrong_with_a_registration(world: World) {
    let app = world.app().await;
    let mut root = app.superuser("root").await;
    let provider = Provider::open().await;
    let url = provider.url.clone();
    let closed = "http://127.0.0.1:1";
    for (issuer, field) in [
        (closed, "issuer"),
        (&format!("{url}/"), "issuer"),
        ("http://id.example", "issuer"),
        ("https://169.254.169.254", "issuer"),
        ("", "issuer"),
    ] {
        let fields = [("provider", "oidc"), ("client_id", "us"), ("issuer", issuer)];
        let page = root.submits("/admin/social/new", &fields).await;
        assert_eq!(page.status(), 422, "{issuer}");
        assert!(page.field(field).is_wrong, "{issuer}");
    }
    assert_eq!(app.number("SELECT COUNT(*) FROM social_providers").await, 0);
    let page = root.submits("/admin/social/new", &[("provider", "kakao")]).await;
    assert!(page.field("client_id").is_wrong);
}

#[on_both]
async fn a_secret_is_sealed_kept_and_never_shown(world: World) {
    let app = world.app().await;
    let provider = that_knows(&app, "kakao", &kakao(true)).await;
    let mut root = app.visitor();
    root.logs_in("root@example.com", GOOD).await;
    let id = app.number("SELECT id FROM social_providers").await;
    let path = format!("/admin/social/{id}");

    let page = root.get(&path).await;
    assert!(!page.text().contains("our-secret"));
    assert!(page.text().contains("/account/social/kakao/callback"));
    let [authorize, token, me] =
        ["authorize", "token", "me"].map(|path| format!("{}/{path}", provider.url));
    let fields = [
        ("client_id", "us-too"),
        ("is_active", "true"),
        ("token_endpoint", token.as_str()),
        ("authorization_endpoint", &authorize),
        ("userinfo_endpoint", &me),
    ];
    assert_eq!(root.submits(&path, &fields).await.location(), Some("/admin/social"));

    let stored = app.word("SELECT client_secret FROM social_providers").await;
    assert!(!stored.is_empty() && !stored.contains("our-secret"));
    let mut ada = app.visitor();
    let asked = sets_out(&mut ada, "kakao").await;
    comes_back(&mut ada, "kakao", &asked["state"]).await;
    let sent = &provider.asked("/token")[0].form;
    assert_eq!(sent["client_id"], "us-too");
    assert_eq!(sent["client_secret"], "our-secret");
    root.submits(&format!("{path}/delete"), &[]).await;
    assert_eq!(app.number("SELECT COUNT(*) FROM social_identities").await, 0);
    assert_eq!(app.events("provider_deleted").await, 1);
}

#[on_both]
async fn providers_are_only_for_whoever_may_change_them(world: World) {
    let app = world.app().await;
    let mut ada = app.staff("ada", &[daemun::types::Permission::UsersView]).await;
    let may = [daemun::types::Permission::SocialChange];
    let mut sam = app.staff("sam", &may).await;

    for path in ["/admin/social", "/admin/social/new", "/admin/social/1"] {
        assert_eq!(ada.get(path).await.status(), 403, "{path}");
        assert_eq!(app.visitor().get(path).await.status(), 303, "{path}");
    }
    assert_eq!(ada.submits("/admin/social/new", &[]).await.status(), 403);
    assert_eq!(sam.get("/admin/social").await.status(), 200);
    assert_eq!(sam.get("/admin/social/new").await.status(), 200);
    assert_eq!(sam.get("/admin/social/1").await.status(), 404);
}

#[on_both]
async fn somebody_without_a_password_is_proved_by_the_provider_before_what_is_dangerous(
    world: World,
) {
    let app = world.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    dances(&mut ada, &app, &provider, &json!({})).await;
    world.clock.advance(std::time::Duration::from_mins(11));
    for path in ["/account/email/change", "/account/delete"] {
        let way = ada.get(path).await.location().expect("a way").to_owned();
        assert!(way.starts_with("/account/sudo?next="), "{way}");
        let page = ada.get(&way).await;
        assert!(page.texts("input[name=password]").is_empty() && page.texts(".ways").len() == 1);
        assert!(page.text().contains("/account/password/reset"));
        assert_eq!(ada.submits(path, &[("email", "new@example.com")]).await.status(), 303);
    }
    assert_eq!(app.events("email_change_asked").await, 0);

    let mut ada = app.visitor();
    dances(&mut ada, &app, &provider, &json!({})).await;
    assert!(ada.get("/account/email/change").await.texts("input[name=password]").is_empty());
    let wrong = ada.submits("/account/email/change", &[("email", "new")]).await;
    assert_eq!((wrong.status(), wrong.field("email").is_wrong), (422, true));
    let asked = ada.submits("/account/email/change", &[("email", "new@example.com")]).await;
    assert_eq!(asked.location(), Some("/account/mypage"), "{}", asked.text());
    let link = app.letter_to("new@example.com").await.link("/account/email/change/");
    ada.presses(&link).await;
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, new@example.com!");
    let gone = ada.submits("/account/delete", &[]).await;
    assert_eq!(gone.status(), 303, "{}", gone.text());
    assert_eq!(app.events("deletion_scheduled").await, 1);
}

#[on_both]
async fn whoever_has_a_password_is_asked_for_it_however_recently_they_came(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;

    let moved = ada.submits("/account/email/change", &[("email", "new@example.com")]).await;
    let left = ada.submits("/account/delete", &[]).await;

    assert_eq!((moved.status(), moved.field("password").is_wrong), (422, true));
    assert_eq!((left.status(), left.field("password").is_wrong), (422, true));
}
