//! Links to what the reader may do to a user.

use super::{actions, password, target};
use crate::accounts::Account;
use crate::admin::AdminAction;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::types::Permission;

/// A link to the page of an action.
pub(super) struct ActionLink {
    pub path: String,
    pub label: &'static str,
    pub is_dangerous: bool,
}

/// Returns what the reader may do to the account; less when its user has permissions that the
/// reader lacks.
pub(super) fn available(account: &Account, staff: &SignedIn, outranks: bool) -> Vec<ActionLink> {
    if target::is_protected(account, staff) {
        return Vec::new();
    }
    let reader = staff.user();
    let is_oneself = account.user.id == reader.id;
    let is_being_deleted = !account.is_active && account.deletes_at.is_some();
    let is_offered = |action: AdminAction| {
        let fits = match action {
            AdminAction::Activate => !account.is_active,
            AdminAction::Deactivate => account.is_active,
            AdminAction::VerifyEmail => account.user.email_verified_at.is_none(),
            AdminAction::EndSessions => true,
            AdminAction::Delete => !is_being_deleted,
        };
        let is_allowed = !action.is_dangerous() || (!is_oneself && !outranks);
        fits && is_allowed && reader.may(action.permission())
    };
    let actions: Vec<_> =
        AdminAction::ALL.into_iter().filter(|action| is_offered(*action)).collect();
    let link = |action: &AdminAction| {
        let [.., label] = actions::labels(*action, account);
        ActionLink {
            path: actions::path(*action, account.user.id),
            label,
            is_dangerous: action.is_dangerous(),
        }
    };
    let mut links: Vec<_> = actions.iter().map(link).collect();
    if reader.may(Permission::UsersChange) && (is_oneself || !outranks) {
        let changes = |action: &&AdminAction| action.permission() == Permission::UsersChange;
        let [label, ..] = password::LABELS;
        // After the actions that change the account, before those that end something.
        let position = actions.iter().take_while(changes).count();
        let path = paths::admin_user_action(account.user.id, "password");
        links.insert(position, ActionLink { path, label, is_dangerous: false });
    }
    links
}
