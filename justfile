# Everything that has to be clean before a change goes in; CI runs the same.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo test
    cargo deny check bans licenses sources

bench:
    cargo bench

# The pictures of the README and of docs/, taken anew.
pictures:
    DAEMUN_SCREENSHOTS=docs cargo test --test browser pictures

# Every page in both languages and themes, wide and on a phone, in target/screenshots/.
screenshots:
    DAEMUN_SCREENSHOTS=all cargo test --test browser screenshots

# The campaigns against the program, longer than in `cargo test`: servers that are killed, nodes that start and
# work at once, disks that fail, and requests to every route that no program sends.
campaign rounds="50":
    DAEMUN_TEST_ROUNDS={{rounds}} cargo test --test it -- fuzz:: disk_faults:: process::n process::people process::two
