//! Proving that an address belongs to the person.

use std::time::Duration;

use crate::support::{GOOD, World};

const VERIFY: &str = "/account/email/verify/";

on_both! {
    async fn whoever_joins_gets_a_letter_and_proves_the_address_with_one_button(world: World) {
        let app = world.app().await;
        let mut ada = app.person("ada").await;
        assert_eq!(ada.get("/account/mypage").await.texts(".banner").len(), 1);
        let link = app.letter_to("ada@example.com").await.link(VERIFY);

        assert_eq!(ada.get(&link).await.location(), Some("/account/link"));
        let page = ada.get("/account/link").await;
        assert_eq!((page.status(), page.h1().as_str()), (200, "Verify your email"));
        let answer = ada.submits("/account/link", &[]).await;

        assert_eq!(answer.location(), Some("/account/mypage"));
        let page = ada.get("/account/mypage").await;
        assert_eq!(page.texts(".notice"), ["Your email is verified."]);
        assert!(page.texts(".banner").is_empty());
        assert!(ada.get("/account/mypage").await.texts(".notice").is_empty(), "said once");
    }

    async fn a_verification_link_works_for_three_days(world: World) {
        let app = world.app().await;
        let mut ada = app.person("ada").await;
        let link = app.letter_to("ada@example.com").await.link(VERIFY);
        world.clock.advance(Duration::from_hours(3 * 24));

        assert_eq!(app.visitor().get(&link).await.status(), 404);
        assert_eq!(ada.submits(&link, &[]).await.status(), 404);
    }

    async fn somebody_elses_session_ends_when_the_owner_proves_the_address(world: World) {
        let app = world.app().await;
        let mut eve = app.visitor();
        eve.joins("ada@example.com", GOOD).await;
        let link = app.letter_to("ada@example.com").await.link(VERIFY);

        let answer = app.visitor().submits(&link, &[]).await;

        assert_eq!(answer.location(), Some("/account/login"));
        assert!(!eve.is_signed_in().await);
    }
}
