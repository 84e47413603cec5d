#!/usr/bin/env bash
# Compares the proxy with nginx and haproxy in one run: requests per CPU second, CPU per request at a moderate rate, added latency, memory
# of idle connections, and the cost of the breaker. Usage: benches/proxy.sh [ROUNDS [SECONDS]]; default: 5 rounds of 2 s for each figure.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=
for program in nginx haproxy wrk h2load; do
  command -v "$program" > /dev/null || missing=yes
done
if [ -n "$missing" ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light haproxy wrk nghttp2-client > /dev/null
fi
if [ -z "${TRIPLINE:-}" ]; then
  cargo build --release --locked --quiet -p tripline
  export TRIPLINE="${CARGO_TARGET_DIR:-$PWD/target}/release/tripline"
fi
ulimit -n "$(ulimit -Hn)"
exec python3 benches/proxy.py "$@"
