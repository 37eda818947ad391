//! The account that a page about one user is for, and what the reader may do with it.
//!
//! Shared by the pages of a user; renders nothing.

use rocket::http::Status;
use rocket::response::Redirect;

use crate::accounts;
use crate::accounts::Account;
use crate::admin::{Actor, AdminError};
use crate::context::Context;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::types::{Permission, RequestInfo, UserId, number};
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::response::Response;

/// The result of a handler about one account; 403 and 404 are errors.
pub(crate) type HandlerResult = Result<Response, Error>;

/// Returns the account of a path. Only the canonical form of an id has an account.
pub(crate) async fn find(id: &str, ctx: &Context) -> Result<Account, Error> {
    let id = number(id).ok_or(Status::NotFound)?;
    let account = accounts::find_by_id(&ctx.db, UserId(id)).await?;
    account.ok_or_else(|| Status::NotFound.into())
}

/// Returns the account of a path, if the reader may change it.
pub(crate) async fn find_changeable(
    id: &str,
    staff: &SignedIn,
    ctx: &Context,
) -> Result<Account, Error> {
    let account = find(id, ctx).await?;
    if is_protected(&account, staff) { Err(Status::Forbidden.into()) } else { Ok(account) }
}

/// Returns whether the account is a superuser's and the reader is none; the use case checks again.
pub(crate) fn is_protected(account: &Account, staff: &SignedIn) -> bool {
    account.user.is_superuser && !staff.user().is_superuser
}

pub(crate) fn actor<'a>(staff: &'a SignedIn, info: &'a RequestInfo) -> Actor<'a> {
    Actor { user: staff.user(), info }
}

/// Redirects to the account, or to the dashboard when the reader may not see accounts.
pub(crate) fn redirect_to_user(id: UserId, staff: &SignedIn) -> Redirect {
    let may_see = staff.user().may(Permission::UsersView);
    Redirect::to(if may_see { paths::admin_user(id) } else { paths::ADMIN.to_owned() })
}

/// Returns the message for an action that was refused; 403 and 404 have pages of their own.
pub(crate) fn rejection(error: AdminError) -> Result<Rejection, Error> {
    match error {
        AdminError::NotFound => Err(Status::NotFound.into()),
        AdminError::Forbidden => Err(Status::Forbidden.into()),
        AdminError::OwnAccount => Ok(Rejection::on_form("admin.user_action.yourself")),
        AdminError::LastSuperuser => Ok(Rejection::on_form("admin.user_action.last_superuser")),
        AdminError::Database(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_path() {
        assert_eq!(number("7"), Some(7));
        for text in ["", "0", "-7", "+7", "07", "7 ", "x", "9223372036854775808"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
