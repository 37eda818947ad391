//! The users of a test: a visitor, a user who has just signed up, and staff.
//!
//! All of them get their accounts by the program's own functions, so that they are as real ones.

use daemun::testing::flows;
use daemun::testing::flows::account::signup::{SignupOutcome, SignupRequest};
use daemun::testing::groups;
use daemun::testing::groups::GroupName;
use daemun::testing::sessions::IssuedTokens;
use daemun::testing::types::{Email, GroupId, Language, Password, Permission, Profile, UserId};

use super::app::{email, request_info};
use super::{App, Browser, GOOD};

impl App {
    /// A browser that has never been here.
    pub(crate) fn visitor(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// A user who has just signed up as `name@example.com` and is signed in.
    pub(crate) async fn user(&self, name: &str) -> Browser<'_> {
        let mut browser = self.visitor();
        let page = browser.signs_up(&email(name), GOOD).await;
        assert_eq!(page.location(), Some("/account/mypage"), "{}", page.text());
        browser
    }

    /// A superuser `name@example.com`, created at the terminal, who has just logged in.
    pub(crate) async fn superuser(&self, name: &str) -> Browser<'_> {
        self.creates_superuser(name).await;
        self.logged_in(name).await
    }

    /// A member of staff with exactly these permissions, by a group of their own, who has just logged in.
    pub(crate) async fn staff(&self, name: &str, permissions: &[Permission]) -> Browser<'_> {
        self.user(name).await;
        let group = self.group(&format!("group of {name}"), permissions).await;
        self.sets_roles(name, true, false).await;
        self.sets_groups(name, &[group]).await;
        self.logged_in(name).await
    }

    /// Creates a superuser `name@example.com` as the command line does.
    pub(crate) async fn creates_superuser(&self, name: &str) -> UserId {
        let password = Password::parse(GOOD).expect("a password");
        flows::admin::setup::create_superuser(
            &self.ctx,
            Email::parse(&email(name)).expect("an address"),
            Language::English,
            password,
            &request_info(),
        )
        .await
        .expect("created")
    }

    /// Creates a group with these permissions.
    pub(crate) async fn group(&self, name: &str, permissions: &[Permission]) -> GroupId {
        let transaction = self.ctx.db.begin().await.expect("a transaction");
        let name = GroupName::parse(name).expect("a name");
        let permissions = permissions.iter().copied().collect();
        let now = self.ctx.clock.now();
        let id = groups::create(&transaction, &name, permissions, now).await.expect("answers");
        transaction.commit().await.expect("committed");
        id.expect("the name is free")
    }

    /// Signs up without a browser and returns the tokens of the session.
    pub(crate) async fn session_of(&self, name: &str) -> IssuedTokens {
        let request = SignupRequest {
            email: Email::parse(&email(name)).expect("an address"),
            password: Password::parse(GOOD).expect("a password"),
            profile: Profile::default(),
            language: Language::English,
        };
        let outcome = flows::account::signup::sign_up(&self.ctx, request, None, &request_info())
            .await
            .expect("signed up");
        match outcome {
            SignupOutcome::SignedIn(tokens) => tokens,
            SignupOutcome::EmailSent => panic!("the address must be verified first"),
        }
    }

    /// Returns the number of a persona's account.
    pub(crate) async fn id_of(&self, name: &str) -> i64 {
        self.query_number(&format!("SELECT id FROM users WHERE email = '{}'", email(name))).await
    }

    async fn logged_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.visitor();
        assert_eq!(browser.logs_in(&email(name), GOOD).await.status(), 303, "{name}");
        browser
    }
}
