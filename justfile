# Everything that has to be clean before a change goes in; CI runs the same.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo test
    cargo deny check bans licenses sources

bench:
    cargo bench
