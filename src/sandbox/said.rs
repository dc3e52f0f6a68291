//! How a simulated host answers.

/// What a script came to.
pub(super) struct Said {
    pub(super) status: u32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    pub(super) fn ok(stdout: String) -> Self {
        Self { status: 0, stdout, stderr: String::new() }
    }

    pub(super) fn failed(status: u32, why: &str) -> Self {
        Self { status, stdout: format!("failed={why}\n"), stderr: String::new() }
    }
}
