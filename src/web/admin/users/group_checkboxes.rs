//! The groups of a user as checkboxes, on the pages that create and edit a user.

use crate::context::Context;
use crate::groups;
use crate::groups::Group;
use crate::types::{GroupId, Permissions};
use crate::web::error::Error;

/// Groups on the page; a site has a handful.
const MAX_GROUPS: u64 = 200;

/// A group as a checkbox.
pub(crate) struct GroupCheckbox {
    pub id: GroupId,
    pub name: String,
    /// Whether the reader may add users to it.
    pub may_grant: bool,
}

/// Returns every group, and whether the reader may grant it.
pub(crate) async fn list(ctx: &Context, own: Permissions) -> Result<Vec<GroupCheckbox>, Error> {
    let groups = groups::list(&ctx.db, MAX_GROUPS).await?;
    let show = |group: Group| GroupCheckbox {
        id: group.id,
        may_grant: group.permissions.are_within(own),
        name: group.name,
    };
    Ok(groups.into_iter().map(show).collect())
}
