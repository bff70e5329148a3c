# Short names for what developers do often. `just` is a convenience: each line can be run without it.

# List the recipes
default:
    @just --list

# Build and start everything with demo data
start *ARGS:
    scripts/start {{ ARGS }}

# Install what the tests need, then run every check and test
test:
    scripts/test

# The fast checks: format, lints, house rules
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo xtask tidy

# The tests of one crate, on SQLite and PostgreSQL
unit CRATE *ARGS:
    scripts/with-postgres cargo nextest run -p {{ CRATE }} {{ ARGS }}

# The whole-market tests with real clients and a browser
stories *ARGS:
    cargo build --workspace --bins
    cargo nextest run -p stories {{ ARGS }}

# The rules of the house
tidy:
    cargo xtask tidy

# Write the API description to docs/openapi.json
openapi:
    cargo xtask openapi

# Measure the registry against nginx serving the same bytes
bench-registry *ARGS:
    scripts/bench-registry {{ ARGS }}

# Measure holding and paying over HTTP, on both databases
bench-orders *ARGS:
    scripts/bench-orders {{ ARGS }}

# Measure how long deployments take until the real client has its first answer
bench-deploy *ARGS:
    scripts/with-docker cargo xtask bench-deploy {{ ARGS }}

# Measure what the way through the relay costs
bench-relay *ARGS:
    cargo xtask bench-relay {{ ARGS }}

# Take pictures of every page in both themes
screenshots *ARGS:
    scripts/screenshots {{ ARGS }}
