# The daily jobs. CONTRIBUTING.md says when to use which.

# Lists the recipes.
default:
    @just --list

# Serves the site on http://localhost:8000, with everything it writes under data/.
run:
    cargo run

# All tests.
test:
    cargo test

# The tests whose path contains a word: `just test-one login`.
test-one word:
    cargo test --test it -- {{word}}

# Types only, which takes seconds.
quick:
    cargo check --workspace --all-targets

# Formats the code.
fmt:
    cargo fmt --all

# Everything that has to be clean before a change goes in.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
    cargo test
    cargo deny check bans licenses sources

# All of CI, which installs what the tests need (Debian, as root).
ci:
    .ci/run

# How fast the program is, as in docs/PERFORMANCE.md.
bench:
    cargo bench

# Renews the pictures of the README and of docs/.
pictures:
    DAEMUN_SCREENSHOTS=docs cargo test --test browser pictures

# Every page in both languages and themes, wide and on a phone, in target/screenshots/.
screenshots:
    DAEMUN_SCREENSHOTS=all cargo test --test browser screenshots

# The stress tests: killed servers, nodes that work at once, failing disks, and malformed requests to every route.
campaign rounds="50":
    DAEMUN_TEST_ROUNDS={{rounds}} cargo test --test it -- fuzz:: disk_faults:: process::no_acknowledged process::nodes_starting process::two_servers process::many_sign_ups

# Creates the next migration and names it in migrations/src/lib.rs: `just new-migration add_phone`.
new-migration name:
    #!/usr/bin/env bash
    set -euo pipefail
    cd migrations/src
    [[ "{{name}}" =~ ^[a-z][a-z0-9_]*$ ]] || { echo "lower-case letters, digits and _" >&2; exit 2; }
    last=$(ls m[0-9]*.rs | tail -1)
    last=${last%.rs}
    number=${last:1:4}
    module=$(printf 'm%04d_%s' "$((10#$number + 1))" "{{name}}")
    cat > "$module.rs" <<'END'
    //! What this migration adds, and why.

    use sea_orm_migration::prelude::*;

    #[derive(DeriveMigrationName)]
    pub(crate) struct Migration;

    #[async_trait::async_trait]
    impl MigrationTrait for Migration {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            manager.get_connection().execute_unprepared("SELECT 1").await?;
            Ok(())
        }
    }
    END
    sed -i -e "s/^mod $last;$/&\nmod $module;/" -e "s/^\( *\)Box::new($last::Migration),$/&\n\1Box::new($module::Migration),/" lib.rs
    echo "migrations/src/$module.rs"
