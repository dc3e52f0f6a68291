//! Why a journal, or what is kept beside it, could not be written or read.

use std::io;
use std::path::{Path, PathBuf};

use super::{FORMAT, MINOR};

/// Why a journal could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system said no.
    #[error("cannot {what} the journal {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// An earlier append failed; nothing more is accepted.
    #[error("the journal {} could not be written; no further change is made", .0.display())]
    Broken(PathBuf),
    /// A line is not what was written.
    #[error("{}:{line}: the journal is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The last line was never finished; those before it hold.
    #[error("{}:{line}: the last line is torn: the process was killed while writing it", path.display())]
    Torn {
        /// The run.
        run: String,
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Written by a newer version.
    #[error("{}: it is of format {format}.{minor}{}, and breakglass {} knows formats up to {FORMAT}.{MINOR}", path.display(), by(version.as_deref()), env!("CARGO_PKG_VERSION"))]
    Newer {
        /// The file.
        path: PathBuf,
        /// The first number of its format.
        format: u32,
        /// The second.
        minor: u32,
        /// The version that wrote it, where it says so.
        version: Option<String>,
    },
    /// A living process holds it.
    #[error("run {run} is still under way in another process")]
    InUse {
        /// The run.
        run: String,
    },
    /// A blob.
    #[error(transparent)]
    Store(StoreError),
}

impl JournalError {
    pub(super) fn io(what: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), error }
    }
}

/// Why a folder or a blob could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system said no.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: String,
        /// The path.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// No run has this id, or several begin with it.
    #[error("{}", no_such_run(typed, near))]
    NoSuchRun {
        /// As typed.
        typed: String,
        /// The ids that would fit.
        near: Vec<String>,
    },
    /// A blob's bytes are not those its name promises.
    #[error("{} does not have the content its name promises", .0.display())]
    Damaged(PathBuf),
}

fn no_such_run(typed: &str, near: &[String]) -> String {
    if near.is_empty() {
        return format!("no run {typed:?}; `breakglass runs` lists them");
    }
    format!("{typed:?} could be any of {}", near.join(", "))
}

fn by(version: Option<&str>) -> String {
    version.map_or_else(String::new, |version| format!(", written by breakglass {version}"))
}
