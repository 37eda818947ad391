//! A row of `audit_events`.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub at: i64,
    pub action: String,
    pub actor_id: Option<i64>,
    pub target_id: Option<i64>,
    pub session_id: Option<String>,
    pub ip: String,
    pub user_agent: String,
    pub request_id: String,
    pub details: String,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
