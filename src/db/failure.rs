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
        // SQLite's codes are numbers of at most four digits; a `SQLSTATE` of five may be all digits too.
        let number = code.parse::<u32>().ok().filter(|_| code.len() != 5);
        Some(number.map_or_else(|| Self::Postgres(code.into_owned()), |it| Self::Sqlite(it & 0xff)))
    }
}

impl DbError {
    /// Returns whether trying again in a moment may work: the database is unreachable, busy or full, and
    /// the statement is not at fault.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        is_unavailable(&self.0)
    }

    /// Returns whether the database can be read but not written: a standby of PostgreSQL, or a
    /// write-protected file.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match self.code() {
            // READONLY.
            Some(Code::Sqlite(code)) => code == 8,
            // `read_only_sql_transaction`.
            Some(Code::Postgres(code)) => code == "25006",
            None => false,
        }
    }

    /// Returns whether a unique index refused the statement: another row has the value.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self.0.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    }

    /// Returns whether the data of one row is at fault: for this row the statement fails however often it
    /// is tried, and for another row it may work.
    #[must_use]
    pub fn is_about_data(&self) -> bool {
        let error = match &self.0 {
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
            // A stored value that cannot be read, such as a number out of range.
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => return true,
            _ => return false,
        };
        match &**error {
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                true
            }
            error => match Code::of(error) {
                // TOOBIG, CONSTRAINT, MISMATCH.
                Some(Code::Sqlite(code)) => matches!(code, 18..=20),
                // Data exception, broken constraint, limit of the program, raised by a trigger.
                Some(Code::Postgres(code)) => is_of_class(&code, &["22", "23", "54", "P0"]),
                None => false,
            },
        }
    }

    /// Returns whether `SQLite` says that another process writes.
    pub(super) fn is_busy(&self) -> bool {
        // BUSY, LOCKED.
        matches!(self.code(), Some(Code::Sqlite(5 | 6)))
    }

    /// Returns whether PostgreSQL answers with this code.
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

/// Returns whether a failure may pass by itself.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    match (error, Code::of(error)) {
        // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN.
        (_, Some(Code::Sqlite(code))) => matches!(code, 5 | 6 | 8 | 10 | 13 | 14),
        (_, Some(Code::Postgres(code))) => {
            // Read-only, as on a standby; a lock that was not available in time; then the classes of
            // failures of the connection, of roll-backs (deadlocks), of resources, and of the operator.
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
