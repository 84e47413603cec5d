#!/usr/bin/env bash
# Measures the hot path in many short rounds: bash benches/rounds.sh ROUNDS [FILTER]
#
# Every round runs each row once, so that disturbances of the machine affect all rows alike. Prints the median of each row
# over the rounds, and the ratios of these medians with their limits. FILTER is criterion's: a regular expression
# on group/function. Fails if a round fails, for example because reports are dropped.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:?usage: bash benches/rounds.sh ROUNDS [FILTER]}
filter=${2:-}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { echo "ROUNDS is \"$rounds\"; allowed: a whole number from 1" >&2; exit 2; }

bench=(cargo bench --quiet --locked -p tripline-benches --bench hot_path --)
short=(--noplot --discard-baseline --warm-up-time 0.2 --measurement-time 0.5 --sample-size 10 --nresamples 1000)

times=$(mktemp)
trap 'rm -f "$times"' EXIT
for ((round = 1; round <= rounds; round++)); do
  echo "round $round of $rounds" >&2
  "${bench[@]}" "${short[@]}" ${filter:+"$filter"} >>"$times"
done

# Limits of the ratios: name | group | numerator | less this | denominator, of this group unless it names its own | at most.
limits='
tripline / floor_relaxed_load|admit_closed|tripline||floor_relaxed_load|4
tripline / failsafe|admit_closed|tripline||failsafe|0.1
tripline / floor_relaxed_load|admit_closed_2t|tripline||floor_relaxed_load|4
tripline / recloser|admit_record|tripline||recloser|0.85
tripline_trend / tripline|admit_record|tripline_trend||tripline|1.2
tripline_default / failsafe|admit_record|tripline_default||failsafe|1.0
tripline / recloser|admit_record_2t|tripline||recloser|0.8
tripline_default / failsafe|admit_record_2t|tripline_default||failsafe|1.0
tripline_default_1_percent_slow / tripline_default|admit_record|tripline_default_1_percent_slow||tripline_default|1.5
tripline_default / its own row of one thread|admit_record_2t|tripline_default||admit_record/tripline_default|1.3
tripline_default / failsafe|admit_record_4t|tripline_default||failsafe|1.0
tripline_default / failsafe|admit_record_8t|tripline_default||failsafe|1.0
tripline_system_clock / floor_system_clock|admit_record_timed|tripline_system_clock||floor_system_clock|1.25
tripline_tsc_clock / floor_tsc_clock|admit_record_timed|tripline_tsc_clock||floor_tsc_clock|1.25
tripline / floor|tower_layer|tripline||floor|1.25
1024 / 64|window_growth|1024||64|1.1
'

awk -v limits="$limits" -v rounds="$rounds" '
  BEGIN { to_ns["ps"] = 1e-3; to_ns["ns"] = 1; to_ns["µs"] = 1e3; to_ns["us"] = 1e3; to_ns["ms"] = 1e6; to_ns["s"] = 1e9 }

  # "group/function  time:   [low ns middle ns high ns]"; a long name is on the line before.
  $1 ~ "^[a-z0-9_]+/[a-z0-9_]+$" { row = $1 }
  match($0, /time: +\[.*\]/) {
    split(substr($0, RSTART, RLENGTH), part, /[][ ]+/)
    if (!(row in count)) order[++rows] = row
    time[row, ++count[row]] = part[4] * to_ns[part[5]]
  }

  function median(row,    i, j, n, value, sorted) {
    n = count[row]
    for (i = 1; i <= n; i++) {
      value = time[row, i]
      for (j = i - 1; j >= 1 && sorted[j] > value; j--) sorted[j + 1] = sorted[j]
      sorted[j + 1] = value
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
  }

  END {
    if (rows == 0) { print "no row was run: FILTER matches nothing" > "/dev/stderr"; exit 1 }
    printf "\n| row | median of %d, ns |\n|---|---|\n", rounds
    for (i = 1; i <= rows; i++) {
      middle[order[i]] = median(order[i])
      printf "| `%s` | %.4g |\n", order[i], middle[order[i]]
    }
    print "\n| ratio of medians | | measured | at most | |\n|---|---|---|---|---|"
    n = split(limits, line, "\n")
    for (i = 1; i <= n; i++) {
      if (split(line[i], field, "|") < 6) continue
      over = field[2] "/" field[3]; less = field[2] "/" field[4]; under = field[5] ~ "/" ? field[5] : field[2] "/" field[5]
      if (!(over in middle) || !(under in middle) || (field[4] != "" && !(less in middle))) {
        printf "| `%s` | %s | not run | %s | |\n", field[2], field[1], field[6]
        continue
      }
      ratio = (middle[over] - (field[4] == "" ? 0 : middle[less])) / middle[under]
      printf "| `%s` | %s | %.3g | %s | %s |\n", field[2], field[1], ratio, field[6], ratio <= field[6] + 0 ? "pass" : "falls short"
    }
  }
' "$times"
