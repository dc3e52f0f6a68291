//! What is typed and what is answered, on both streams, with the exit code. `TRYCMD=overwrite` writes the answers down.

#[test]
fn conversations() {
    trycmd::TestCases::new()
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
