//! What is typed and what is answered, on both streams, with the exit code. `TRYCMD=overwrite` writes the answers down.

use std::os::unix::fs::MetadataExt as _;

#[test]
fn conversations() {
    // Whoever checked this out need not be who runs the tests, as root in a container: as under sudo, his files are ours.
    let owner = std::fs::metadata("tests/cmd").expect("the conversations").uid();
    trycmd::TestCases::new()
        .env("SUDO_UID", owner.to_string())
        .default_bin_name("breakglass")
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent/config")
        .env("BREAKGLASS_STATE", "state")
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env("SSH_AUTH_SOCK", "")
        .env("USER", "sre")
        .env("NO_COLOR", "1")
        .env("TERM", "dumb")
        .env("COLUMNS", "100")
        .case("tests/cmd/*.md");
}
