//! Changing one's password.

use rocket::{Route, State, post, routes};

use super::{Detail, Said};
use crate::accounts::NewPasswordError;
use crate::api::body::Body;
use crate::api::credentials::Member;
use crate::api::error::Error;
use crate::api::fields::{Complaints, Fields};
use crate::api::openapi::{Described, HttpMethod, Kind, Section, closed, needs};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::password_change::ChangePasswordError;
use crate::i18n::Sentence;
use crate::sessions::ProveError;
use crate::types::{Caller, Password};

/// Where Django says what is wrong with a new password: at the second time that it was typed.
const REPEATED: &str = "new_password2";

pub(crate) fn routes() -> Vec<Route> {
    routes![update]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = closed(
        HttpMethod::Post,
        "/api/account/password/change",
        Section::Account,
        "openapi.account.password_change",
    );
    let fields = ["old_password", "new_password1", REPEATED];
    let fields = fields.map(|name| needs(name, Kind::Password));
    vec![route.takes(fields).gives::<Detail>(200).refuses(&[429, 503])]
}

#[post("/api/account/password/change", data = "<body>")]
async fn update(
    member: Member,
    body: Body,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Said, Error> {
    let Member(member) = member;
    let mut fields = Fields::of(&body);
    let old = fields.password("old_password");
    let new = new_password(&mut fields);
    let (Some(old), Some(new)) = (old, new) else { return Err(fields.complaints().into()) };
    let email = &member.person().email;
    match flows::account::password_change::change(
        ctx,
        (email, member.session()),
        old,
        new.clone(),
        caller,
    )
    .await
    {
        Ok(()) => Ok(Said::ok("api.password.saved")),
        // What is wrong with the new password is said with it.
        Err(ChangePasswordError::NotProved(ProveError::Wrong)) => {
            let wrong = Sentence::new("api.password.wrong_old");
            let mut complaints = Complaints::about("old_password", wrong);
            let found =
                flows::account::password_change::weigh(ctx, email, &new).await.map_err(refused)?;
            complaints.add_weak(&found, |_| REPEATED);
            Err(complaints.into())
        }
        Err(error) => Err(refused(error)),
    }
}

/// The new password, typed twice.
pub(crate) fn new_password(fields: &mut Fields<'_>) -> Option<Password> {
    let (one, other) = (fields.new_password("new_password1"), fields.new_password(REPEATED));
    let (one, other) = (one?, other?);
    if one.expose() != other.expose() {
        fields.complain(REPEATED, Sentence::new("api.password.differs"));
        return None;
    }
    Some(one)
}

fn refused(error: ChangePasswordError) -> Error {
    match error {
        ChangePasswordError::NotTaken(error) => not_taken(error),
        ChangePasswordError::NotProved(error) => Error::not_proved(error, || {
            Complaints::about("old_password", Sentence::new("api.password.wrong_old")).into()
        }),
        ChangePasswordError::Broken(error) => error.into(),
    }
}

/// A new password was not taken.
pub(crate) fn not_taken(error: NewPasswordError) -> Error {
    match error {
        NewPasswordError::Weak(found) => {
            let mut complaints = Complaints::default();
            complaints.add_weak(&found, |_| REPEATED);
            complaints.into()
        }
        NewPasswordError::Busy(full) => full.into(),
    }
}
