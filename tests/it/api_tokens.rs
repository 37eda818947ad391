//! Tokens for programs: getting them, renewing them, asking about them, giving them up.

use std::time::Duration;

use rocket::http::Method;
use serde_json::json;

use crate::support::{GOOD, World};

on_both! {
    async fn a_program_gets_tokens_and_no_cookies(world: World) {
        let app = world.app().await;
        app.person("ada").await;
        let mut program = app.program();

        let reply = program.asks_for_tokens("Ada@EXAMPLE.com", GOOD).await;

        assert_eq!((reply.status(), reply.cookies().as_str()), (200, ""));
        assert!(reply.page.text().starts_with("{\"refresh\":"), "{}", reply.json);
        assert_eq!(reply.page.header("cache-control"), Some("no-store"));
        let me = program.bearing().get("/api/account/user").await;
        assert_eq!((me.status(), me.text("email")), (200, "ada@example.com"));
    }

    async fn a_slash_at_the_end_makes_no_difference(world: World) {
        let app = world.app().await;
        let mut program = app.token("ada").await;

        for path in ["/api/token/verify", "/api/token/verify/"] {
            let reply = program.post(path, json!({ "token": program.access })).await;
            assert_eq!((reply.status(), reply.json), (200, json!({})), "{path}");
        }
        let mut program = program.bearing();
        for path in ["/api/account/mypage", "/api/account/mypage/"] {
            let reply = program.get(path).await;
            assert_eq!(reply.text("detail"), "Welcome, ada@example.com!", "{path}");
        }
        let reply = program.send(Method::Get, "/api/account/login/", None).await;
        assert_eq!((reply.status(), reply.page.header("allow")), (405, Some("POST")));
    }

    async fn the_next_tokens_replace_these(world: World) {
        let app = world.app().await;
        let mut program = app.token("ada").await;
        let first = program.clone();
        world.clock.advance(Duration::from_mins(6));

        let reply = program.renews().await;

        assert_eq!((reply.status(), reply.cookies().as_str()), (200, ""));
        assert!(reply.page.text().starts_with("{\"access\":"), "{}", reply.json);
        assert_ne!(program.refresh, first.refresh);
        assert_eq!(program.bearing().get("/api/account/mypage").await.status(), 200);
    }
}
