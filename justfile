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

# The pictures in the documentation
screenshots:
    cargo build
    npm --prefix tests/browser ci --no-audit --no-fund --loglevel=error
    node tests/browser/pictures.mjs

# What is shipped
release:
    cargo build --release --locked

# Ten million random texts for each place that takes texts of strangers apart
fuzz runs="10000000":
    command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --version 0.13.2 --locked
    for target in jwt assertion redirect scope form; do RUSTC_BOOTSTRAP=1 cargo fuzz run $target -- -runs={{runs}} -max_len=4096 -verbosity=0 -print_final_stats=1; done
