#!/bin/bash
# Measures the cost of many breakers in an idle process:
#
#   bash benches/idle.sh          # 1,000 breakers for 20 s
#   bash benches/idle.sh 100 60   # 100 breakers for 60 s
#
# Prints the share of a core that `tripline serve` uses without requests, and its memory per breaker beyond the first. Fails if the
# share is 1 % or more. Linux only.
set -eu
cd "$(dirname "$0")/.."
count=${1:-1000} seconds=${2:-20}
cargo build --release --quiet
folder=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$folder"' EXIT

# Starts a server with $1 breakers in the background, and waits until it listens.
start() {
  {
    echo 'sample_interval_ms = 1000'
    for ((number = 1; number <= $1; number++)); do echo "[breakers.b$number]"; done
    printf '[http]\nlisten = "127.0.0.1:0"\n'
  } >"$folder/breakers.toml"
  : >"$folder/out"
  target/release/tripline serve --config "$folder/breakers.toml" >"$folder/out" 2>"$folder/log" &
  server=$!
  for ((try = 0; try < 300; try++)); do
    if grep -q listening "$folder/out"; then break; fi
    kill -0 $server 2>/dev/null || { cat "$folder/log"; exit 1; }
    sleep 0.1
  done
  sleep 3
}
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }
# CPU time used so far, in clock ticks. The name in field 2 contains no space.
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

start 1
one=$(memory)
kill $server; wait $server 2>/dev/null || true
start "$count"
before=$(ticks)
sleep "$seconds"
used=$(($(ticks) - before))
many=$(memory)
awk -v used=$used -v hertz="$(getconf CLK_TCK)" -v seconds="$seconds" -v count="$count" -v one="$one" -v many="$many" 'BEGIN {
  share = 100 * used / hertz / seconds
  printf "%d breakers: %.2f %% of a core while idle, %.1f KiB of memory each\n", count, share, (many - one) / (count - 1)
  exit share >= 1
}'
