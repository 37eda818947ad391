//! A row of `bulk_jobs`.

use std::fmt;

use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk_jobs")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kind: String,
    pub actor_id: i64,
    pub ip: String,
    pub user_agent: String,
    pub request_id: String,
    pub payload: String,
    pub state: String,
    pub cursor: i64,
    pub total: Option<i64>,
    pub done: i64,
    pub skipped: i64,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub undone_by: Option<i64>,
}

/// Leaves the content of the job out: it may hold hashes.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("bulk_job").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
