//! The columns that a search selects; `store` reads them in this order.

use std::sync::LazyLock;

use crate::types::ProfileField;

/// What a [`UserSummary`](crate::accounts::search::UserSummary) and the conditions need.
pub(in crate::accounts::search) static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let profile: Vec<_> =
        ProfileField::ALL.iter().map(|it| format!(", u.{}", it.as_str())).collect();
    let profile = profile.concat();
    format!(
        "u.id, u.email, u.email_canonical, u.is_active, u.is_staff, u.is_superuser, \
         u.email_verified_at, u.last_login_at, u.created_at, u.updated_at{profile}"
    )
});

/// The index of the first profile field among the columns.
pub(in crate::accounts::search) const FIRST_PROFILE_COLUMN: usize = 10;
