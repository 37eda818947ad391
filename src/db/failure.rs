//! Telling failures of statements apart.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use super::DbError;

/// What an engine calls a failure.
enum Code {
    /// SQLite's primary result code, which is the low byte of an extended one.
    Sqlite(u32),
    /// PostgreSQL's `SQLSTATE`: five characters, of which the first two are the class.
    Postgres(String),
}

impl Code {
    fn of(error: &sqlx::Error) -> Option<Self> {
        let code = error.as_database_error()?.code()?;
        let number = code.parse::<u32>().ok().filter(|_| code.len() != 5);
        Some(number.map_or_else(|| Self::Postgres(code.into_owned()), |it| Self::Sqlite(it & 0xff)))
    }
}

impl DbError {
    /// Whether it is worth trying again in a moment: the database is away, busy or full, and the
    /// statement is not at fault.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        is_unavailable(&self.0)
    }

    /// Whether the database can be read and not written: a standby of PostgreSQL, or a file that is
    /// write-protected (SQLite's READONLY, 8).
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match self.code() {
            Some(Code::Sqlite(code)) => code == 8,
            Some(Code::Postgres(code)) => code == "25006",
            None => false,
        }
    }

    /// Whether a unique index refused the statement: another row has the value.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self.0.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    }

    /// Whether the data of one row is at fault: the same statement for another row may work, and for
    /// this one it fails however often it is tried. A database that is away, busy or full is none of it,
    /// nor a lock that was waited for too long.
    ///
    /// `SQLite`: TOOBIG 18, CONSTRAINT 19, MISMATCH 20. PostgreSQL's classes: 22 data exception, 23 broken
    /// constraint, 54 limit of the program, P0 exception raised by a trigger. What the database sent and
    /// cannot be read as what it is (a stored value out of range) is about the row as well.
    #[must_use]
    pub fn is_about_data(&self) -> bool {
        let error = match &self.0 {
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => return true,
            _ => return false,
        };
        match &**error {
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                true
            }
            error => match Code::of(error) {
                Some(Code::Sqlite(code)) => matches!(code, 18..=20),
                Some(Code::Postgres(code)) => is_of_class(&code, &["22", "23", "54", "P0"]),
                None => false,
            },
        }
    }

    /// Whether `SQLite` says that another process writes (BUSY 5, LOCKED 6).
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.code(), Some(Code::Sqlite(5 | 6)))
    }

    /// Whether PostgreSQL answers with this code.
    pub(super) fn has_code(&self, expected: &str) -> bool {
        matches!(self.code(), Some(Code::Postgres(code)) if code == expected)
    }

    fn code(&self) -> Option<Code> {
        let (DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error))) = &self.0
        else {
            return None;
        };
        Code::of(error)
    }
}

pub(super) fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            is_passing(error)
        }
        _ => false,
    }
}

/// `SQLite`: BUSY 5, LOCKED 6, READONLY 8, IOERR 10, FULL 13, CANTOPEN 14.
/// PostgreSQL: classes 08 (connection), 40 (rollback), 53 (resources), 57 (operator intervention),
/// 55P03 (a lock that was not to be had in time), and 25006 (read-only, as on a standby).
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    match (error, Code::of(error)) {
        (_, Some(Code::Sqlite(code))) => matches!(code, 5 | 6 | 8 | 10 | 13 | 14),
        (_, Some(Code::Postgres(code))) => {
            matches!(&*code, "25006" | "55P03") || is_of_class(&code, &["08", "40", "53", "57"])
        }
        (error, None) => matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        ),
    }
}

fn is_of_class(code: &str, classes: &[&str]) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}
