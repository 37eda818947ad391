//! Whether a statement failed because of what it was asked to store.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use super::DbError;

/// PostgreSQL's classes: data exception, broken constraint, limit of the program, exception raised by a
/// trigger.
const ABOUT_DATA: [&str; 4] = ["22", "23", "54", "P0"];

impl DbError {
    /// Whether the data of one row is at fault: the same statement for another row may work, and for
    /// this one it fails however often it is tried. A database that is away, busy or full is none of it,
    /// nor a lock that was waited for too long.
    ///
    /// `SQLite`: TOOBIG 18, CONSTRAINT 19, MISMATCH 20 (the low byte of the code). What the database sent
    /// and cannot be read as what it is (a stored value out of range) is about the row as well.
    #[must_use]
    pub fn is_about_data(&self) -> bool {
        let error = match &self.0 {
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => return true,
            _ => return false,
        };
        match &**error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                match code.parse::<u32>() {
                    Ok(number) if code.len() != 5 => matches!(number & 0xff, 18..=20),
                    _ => ABOUT_DATA.iter().any(|class| code.starts_with(class)),
                }
            }
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                true
            }
            _ => false,
        }
    }

    /// Whether `SQLite` says that another process writes (BUSY 5, LOCKED 6).
    pub(super) fn is_busy(&self) -> bool {
        let code = self.code().unwrap_or_default();
        code.len() != 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
    }

    /// Whether the database answers with this code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.code().as_deref() == Some(code)
    }

    fn code(&self) -> Option<String> {
        let (DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error))) = &self.0
        else {
            return None;
        };
        Some(error.as_database_error()?.code()?.into_owned())
    }
}
