//! The query for the kinds of hashes, which two indexes of `users` answer.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::db::{Db, DbError};

/// The expressions of the indexes on SQLite: the iterations of PBKDF2, and the cost of argon2. A
/// query uses an index only if its expression is spelled exactly as in the migration.
const ON_SQLITE: [&str; 2] = [
    "CAST(substr(password_hash, 15) AS INTEGER)",
    "substr(password_hash, 16, instr(substr(password_hash, 16), '$') - 1)",
];

/// The same on PostgreSQL.
const ON_POSTGRES: [&str; 2] = [
    "CAST(substring(password_hash from '^pbkdf2_sha256[$]([0-9]{1,9})[$]') AS bigint)",
    "split_part(password_hash, '$', 4)",
];

/// Returns the most iterations of PBKDF2 that do not exceed `max_iterations`, 0 for none, and up to
/// `max_costs` costs of argon2.
pub(super) async fn find_kinds(
    db: &Db,
    max_iterations: u64,
    max_costs: u32,
) -> Result<(u32, Vec<String>), DbError> {
    let reader = db.reader();
    let backend = reader.get_database_backend();
    let [iterations, cost] = match backend {
        DbBackend::Sqlite => ON_SQLITE,
        _ => ON_POSTGRES,
    };
    let argon2 = "FROM users WHERE substr(password_hash, 1, 15) = '$argon2id$v=19$'";
    // Not DISTINCT, which reads every entry: the recursion jumps in the index from one cost to the
    // next, however many accounts have it. `step` bounds the number of jumps.
    let sql = format!(
        "WITH RECURSIVE costs (cost, step) AS ( \
         SELECT (SELECT MIN({cost}) {argon2}), 1 UNION ALL \
         SELECT (SELECT MIN({cost}) {argon2} AND {cost} > costs.cost), step + 1 \
         FROM costs WHERE cost IS NOT NULL AND step < {max_costs}) \
         SELECT cost, CAST(NULL AS bigint) AS iterations FROM costs WHERE cost IS NOT NULL \
         UNION ALL SELECT NULL, (SELECT MAX({iterations}) FROM users \
         WHERE substr(password_hash, 1, 14) = 'pbkdf2_sha256$' AND {iterations} <= $1)",
    );
    let max_iterations = i64::try_from(max_iterations).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(backend, sql, [max_iterations.into()]);
    let (mut iterations, mut costs) = (0, Vec::new());
    for row in reader.query_all_raw(statement).await? {
        if let Some(most) = row.try_get::<Option<i64>>("", "iterations")? {
            iterations = u32::try_from(most).unwrap_or_default();
        }
        costs.extend(row.try_get::<Option<String>>("", "cost")?);
    }
    Ok((iterations, costs))
}
