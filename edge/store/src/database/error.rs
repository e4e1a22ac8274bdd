//! What a database's driver reported.

use std::error::Error;

use rusqlite::ErrorCode;

/// What a database's driver reported, and whether asking again may help.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct DatabaseError {
    cause: Box<dyn Error + Send + Sync>,
    passes: bool,
}

impl DatabaseError {
    pub(crate) fn new(cause: impl Error + Send + Sync + 'static, passes: bool) -> Self {
        Self { cause: Box::new(cause), passes }
    }

    /// A stored value that this program does not write.
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::new(Damaged(what.into()), false)
    }

    /// Whether it passes by itself: a lock that somebody holds, a server that restarts. Else somebody has to look after it.
    #[must_use]
    pub const fn helps_to_repeat(&self) -> bool {
        self.passes
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the database is damaged: {0} cannot be stored here")]
struct Damaged(String);

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        let passes = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        Self::new(error, passes)
    }
}
