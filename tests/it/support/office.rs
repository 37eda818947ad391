//! The people of the office: superusers, and staff with exactly the permissions of a story.

use daemun::flows;
use daemun::groups;
use daemun::groups::GroupName;
use daemun::types::{Email, GroupId, Language, Password, Permission, UserId};

use super::app::{email, request_info};
use super::{App, Browser, GOOD};

impl App {
    /// A superuser `name@example.com` who has just logged in.
    pub(crate) async fn superuser(&self, name: &str) -> Browser<'_> {
        let address = Email::parse(&email(name)).expect("an address");
        let password = Password::parse(GOOD).expect("typed");
        let whose = (address, Language::English);
        flows::admin::setup::create_superuser(&self.ctx, whose, password, &request_info())
            .await
            .expect("made");
        self.back_again(name).await
    }

    /// A member of staff who may do exactly this, and has just logged in.
    pub(crate) async fn staff(&self, name: &str, permissions: &[Permission]) -> Browser<'_> {
        self.user(name).await;
        let user = self.id_of(name).await;
        let group = self.group(&format!("group of {name}"), permissions).await;
        self.execute(&format!("UPDATE users SET is_staff = true WHERE id = {user}")).await;
        let transaction = self.ctx.db.begin().await.expect("a transaction");
        groups::set_memberships(&transaction, UserId(user), &[group]).await.expect("put into it");
        transaction.commit().await.expect("committed");
        self.back_again(name).await
    }

    /// A group that grants this.
    pub(crate) async fn group(&self, name: &str, permissions: &[Permission]) -> GroupId {
        let transaction = self.ctx.db.begin().await.expect("a transaction");
        let name = GroupName::parse(name).expect("a name");
        let permissions = permissions.iter().copied().collect();
        let now = self.ctx.clock.now();
        let id = groups::create(&transaction, &name, permissions, now).await.expect("answers");
        transaction.commit().await.expect("committed");
        id.expect("the name is free")
    }

    /// The number of a persona's account.
    pub(crate) async fn id_of(&self, name: &str) -> i64 {
        self.query_number(&format!("SELECT id FROM users WHERE email = '{}'", email(name))).await
    }

    async fn back_again(&self, name: &str) -> Browser<'_> {
        let mut browser = self.visitor();
        assert_eq!(browser.logs_in(&email(name), GOOD).await.status(), 303, "{name}");
        browser
    }
}
