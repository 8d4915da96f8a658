# What one does here every day; `./test` is all of it at once.

# Try it out
run:
    cargo run --release -- serve --dev

# Everything that must hold
check:
    ./test

# The Rust tests alone, in seconds
test *words:
    cargo test --workspace {{words}}

# The same on a PostgreSQL server of their own
test-postgres *words:
    tests/with-postgres cargo test --workspace {{words}}

# The same on each PostgreSQL that is newer than the one there
test-postgres-versions *words:
    tests/each-postgres cargo test --workspace {{words}}

# Look at changed snapshots and accept them
snap:
    cargo insta test --review --workspace

# Write the API description anew
doc:
    cargo run -q -- openapi > openapi.json

# Ratios against a floor measured in the same run
bench:
    cargo bench -p guildhall --bench guildhall
    cargo bench -p guildhall --bench accounts

# What each operation costs in a house of 1,000 memberships and in one of 3,000,000
bench-scale:
    cargo bench -p guildhall --bench guildhall -- scale

# The same on PostgreSQL
bench-scale-postgres:
    DURABLE=1 tests/with-postgres cargo bench -p guildhall --bench guildhall -- scale

# What `bench` measures of the API, on PostgreSQL
bench-postgres:
    DURABLE=1 tests/with-postgres cargo bench -p guildhall --bench guildhall

# The same asked of better-auth with its organization plugin
bench-peer:
    cargo bench -p guildhall --bench guildhall -- peer
    DURABLE=1 tests/with-postgres cargo bench -p guildhall --bench guildhall -- peer

# The pictures in the documentation
screenshots:
    cargo build
    npm --prefix tests/browser ci --no-audit --no-fund --loglevel=error
    node tests/browser/pictures.mjs

# What is shipped
release:
    cargo build --release --locked

# Loses the primary of a replicated PostgreSQL under writes, some rounds in a row
cluster rounds="4":
    cargo build --release
    npm --prefix tests/nodes ci --no-audit --no-fund --loglevel=error
    GUILDHALL=$PWD/target/release/guildhall ROUNDS={{rounds}} node --test --test-force-exit --test-reporter=spec tests/cluster/failover.test.mjs

# Restarts nodes of an earlier revision as nodes of this one, one after the other while people work
upgrade before:
    rm -rf target/before && git worktree prune
    git worktree add --detach target/before {{before}}
    cargo build --locked --manifest-path target/before/Cargo.toml --target-dir target/before/target
    cargo build --locked
    npm --prefix tests/nodes ci --no-audit --no-fund --loglevel=error
    GUILDHALL_BEFORE=$PWD/target/before/target/debug/guildhall tests/with-postgres npm --prefix tests/nodes test -- rolling.test.mjs

# Ten million random texts for each place that takes texts of strangers apart. None of these places has unsafe code, so no
# sanitizer: that is thirty times as fast.
fuzz runs="10000000":
    command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --version 0.13.2 --locked
    for target in jwt assertion redirect scope form; do RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $target -- -runs={{runs}} -max_len=4096 -verbosity=0 -print_final_stats=1; done
