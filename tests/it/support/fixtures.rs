//! States of the database that a test starts from.
//!
//! The first half uses the functions of the domain modules, without what a use case adds: no e-mail, no
//! audit event, no invalidated cache. The second half is SQL, where the program has no function because
//! it never does such a thing itself: it forgets what was recorded, or stores what an older version or
//! another program would have stored.

use daemun::testing::accounts;
use daemun::testing::accounts::{AccountUpdate, Deactivation};
use daemun::testing::db::Transaction;
use daemun::testing::groups;
use daemun::testing::types::{Email, GroupId, Name, Profile, UserId};

use super::App;
use super::app::email;

impl App {
    /// Deactivates the account `name@example.com`.
    pub(crate) async fn deactivates(&self, name: &str) {
        let why = Deactivation { reason: "", until: None, deletes_at: None };
        let (transaction, id) = self.locks(name).await;
        let done = accounts::deactivate(&transaction, id, why, self.ctx.clock.now()).await;
        assert!(done.expect("answers"), "{name} is not the last superuser");
        transaction.commit().await.expect("committed");
    }

    /// Activates the account `name@example.com`.
    pub(crate) async fn activates(&self, name: &str) {
        let (transaction, id) = self.locks(name).await;
        accounts::activate(&transaction, id, self.ctx.clock.now()).await.expect("activated");
        transaction.commit().await.expect("committed");
    }

    /// Removes the password of an account, as if it had been made by a provider or an invitation.
    pub(crate) async fn removes_password(&self, name: &str) {
        let (transaction, id) = self.locks(name).await;
        let now = self.ctx.clock.now();
        accounts::set_password(&transaction, id, None, now).await.expect("removed");
        transaction.commit().await.expect("committed");
    }

    /// Marks the address of an account as verified.
    pub(crate) async fn verifies_email(&self, name: &str) {
        let (transaction, id) = self.locks(name).await;
        let now = self.ctx.clock.now();
        accounts::set_email_verified(&transaction, id, now).await.expect("verified");
        transaction.commit().await.expect("committed");
    }

    /// Deletes an account with its sessions and links.
    pub(crate) async fn deletes_user(&self, name: &str) {
        let (transaction, id) = self.locks(name).await;
        assert!(accounts::delete(&transaction, id).await.expect("answers"), "{name} may go");
        transaction.commit().await.expect("committed");
    }

    /// Gives an account a name.
    pub(crate) async fn renames(&self, name: &str, new: &str) {
        let (transaction, id) = self.locks(name).await;
        let account = accounts::find_by_id(&transaction, id).await.expect("answers");
        let user = account.expect("the account is there").user;
        let profile = Profile { name: Name::parse(new).expect("a name"), ..user.profile };
        let now = self.ctx.clock.now();
        accounts::set_profile(&transaction, id, &profile, user.language, now)
            .await
            .expect("written");
        transaction.commit().await.expect("committed");
    }

    /// Makes an account a user, staff or a superuser.
    pub(crate) async fn sets_roles(&self, name: &str, is_staff: bool, is_superuser: bool) {
        let (transaction, id) = self.locks(name).await;
        let account = accounts::find_by_id(&transaction, id).await.expect("answers");
        let account = account.expect("the account is there");
        let update = AccountUpdate {
            email: account.user.email,
            profile: account.user.profile,
            is_active: account.is_active,
            is_staff,
            is_superuser,
        };
        let done =
            accounts::update(&transaction, id, account.version, &update, self.ctx.clock.now())
                .await;
        assert!(done.expect("answers"), "{name} is not the last superuser");
        transaction.commit().await.expect("committed");
        self.ctx.cache.invalidate_all();
    }

    /// Makes an account a member of these groups and no others.
    pub(crate) async fn sets_groups(&self, name: &str, members_of: &[GroupId]) {
        let (transaction, id) = self.locks(name).await;
        groups::set_memberships(&transaction, id, members_of).await.expect("a member");
        transaction.commit().await.expect("committed");
    }

    /// Makes an account a member of one group more.
    pub(crate) async fn adds_to_group(&self, name: &str, group: GroupId) {
        let (transaction, id) = self.locks(name).await;
        let others = groups::list_of_user(&transaction, id).await.expect("answers");
        let members_of: Vec<_> =
            others.into_iter().map(|(other, _)| other).chain([group]).collect();
        groups::set_memberships(&transaction, id, &members_of).await.expect("a member");
        transaction.commit().await.expect("committed");
    }

    /// Begins a transaction with an account locked: that of `name@example.com`, or of the whole address.
    async fn locks(&self, name: &str) -> (Transaction, UserId) {
        let address = if name.contains('@') { name.to_owned() } else { email(name) };
        let email = Email::parse(&address).expect("an address");
        let transaction = self.ctx.db.begin().await.expect("a transaction");
        let found = accounts::find_by_email(&transaction, &email).await.expect("answers");
        let id = found.expect("the account is there").user.id;
        accounts::lock(&transaction, id).await.expect("locked");
        (transaction, id)
    }

    /// Discards every e-mail so far, so that only those of what follows are seen.
    pub(crate) async fn discards_emails(&self) {
        self.execute("DELETE FROM outbox").await;
    }

    /// Forgets every failed attempt, so that what follows is not rate-limited by what was before.
    pub(crate) async fn forgets_attempts(&self) {
        self.execute("DELETE FROM throttle").await;
    }

    /// Stores a password hash as an import from another program would.
    pub(crate) async fn stores_hash(&self, name: &str, hash: Option<&str>) {
        let hash = hash.map_or_else(|| "NULL".to_owned(), |hash| format!("'{hash}'"));
        let user = format!("email = '{}'", email(name));
        self.execute(&format!("UPDATE users SET password_hash = {hash} WHERE {user}")).await;
    }

    /// Marks every session as ended without deleting it.
    pub(crate) async fn ends_sessions(&self) {
        self.execute("UPDATE sessions SET ended_at = 1").await;
    }

    /// Deletes the rows of all sessions, as the clean-up does long after their end.
    pub(crate) async fn deletes_sessions(&self) {
        self.execute("DELETE FROM sessions").await;
    }

    /// Sets how many attempts the rate limits of a kind have counted, such as `login-row`, and lets the
    /// next attempt through: counting them one by one would take hours of the clock.
    pub(crate) async fn sets_attempts(&self, kind: &str, count: u8) {
        let set = format!("UPDATE throttle SET level = {count}, open_at = 0");
        self.execute(&format!("{set} WHERE id LIKE '{kind}:%'")).await;
    }

    /// Stores an address and a name as an older version would have, without checks.
    pub(crate) async fn inserts_users(&self, users: impl IntoIterator<Item = StoredUser>) {
        let rows: Vec<String> = users.into_iter().map(|user| user.row()).collect();
        let columns = "email, email_canonical, name, created_at, updated_at, last_login_at";
        self.execute(&format!("INSERT INTO users ({columns}) VALUES {}", rows.join(", "))).await;
    }
}

/// A row of `users` that no sign-up made.
pub(crate) struct StoredUser {
    pub(crate) email: String,
    pub(crate) canonical: String,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) last_login_at: Option<i64>,
}

impl StoredUser {
    /// Returns a row with this address and name, created at the epoch.
    pub(crate) fn new(email: &str, name: &str) -> Self {
        let (email, name) = (email.to_owned(), name.to_owned());
        let canonical = email.to_lowercase();
        Self { email, canonical, name, created_at: 1, last_login_at: None }
    }

    fn row(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let (email, canonical) = (quoted(&self.email), quoted(&self.canonical));
        let (name, at) = (quoted(&self.name), self.created_at);
        let last = self.last_login_at.map_or_else(|| "NULL".to_owned(), |at| at.to_string());
        format!("({email}, {canonical}, {name}, {at}, {at}, {last})")
    }
}
