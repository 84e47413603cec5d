// ---- Calls and memory
/** Only the first two are known of a member of a family. */
const tiles = {};
for (const [key, name] of [['in_flight', 'In flight'], ['stalled', 'Stalled'], ['refused', 'Rejected'], ['trips', 'Trips'], ['ok', 'Good'], ['slow', 'Slow'], ['failed', 'Failed'], ['dropped', 'Given up']].slice(0, KEY === null ? 8 : 2)) {
  tiles[key] = make('dd', {}, '–');
  $('tiles').append(make('div', {}, make('dt', {}, name), tiles[key]));
}
let past = [];
function showFlow() {
  if (status) {
    write(tiles.in_flight, status.in_flight === null ? 'not tracked' : whole.format(status.in_flight));
    write(tiles.stalled, status.stalled === null ? 'not tracked' : whole.format(status.stalled));
    tiles.stalled.className = status.stalled > 0 ? 'bad' : '';
    showMemory();
  }
  if (!counts) return;
  for (const key of ['refused', 'trips', 'ok', 'slow', 'failed', 'dropped']) write(tiles[key], whole.format(counts[key]));
  if (status?.mode === 'observe') { write(tiles.refused, whole.format(counts.would_reject ?? 0)); write(tiles.refused.previousElementSibling, 'Would reject'); }
  const reasons = Object.entries(counts.trips_by_reason).map(([reason, n]) => `${n} × ${said(reason)}`);
  tiles.trips.title = reasons.join(', ');
}
function showRate() {
  if (!counts) return;
  const at = Date.now(), done = counts.ok + counts.failed + counts.ignored;
  past = past.filter(point => at - point.at < 6000 && point.done <= done && point.refused <= counts.refused);
  past.push({ at, done, refused: counts.refused });
  const first = past[0], seconds = (at - first.at) / 1000;
  if (seconds < .9) return;
  const rate = (a, b) => fine.format(Math.round((b - a) / seconds * 10) / 10);
  write($('rate'), `${rate(first.done, done)} finished and ${rate(first.refused, counts.refused)} rejected per second`);
}
function showMemory() {
  const gauge = $('gauge'), [bar, mark, label] = gauge.children;
  const used = status.memory_usage_percent, limit = status.memory_threshold_percent;
  bar.style.width = `${Math.min(100, used ?? 0)}%`;
  mark.style.left = `${limit}%`;
  label.style.left = `${limit}%`;
  write(label, `opens at ${fine.format(limit)} %`);
  gauge.classList.toggle('full', status.memory_ok === false);
  if (used === null) gauge.removeAttribute('aria-valuenow'); else gauge.setAttribute('aria-valuenow', used);
  const named = [status.memory_source, status.memory_level].filter(Boolean).join(', ');
  const source = named ? ` (${named})` : '';
  const text = used === null ? `Memory is unknown${source}: its rule cannot open the breaker.`
    : `${fine.format(used)} % of ${whole.format(status.total_memory_mb)} MiB in use${source}${status.memory_ok !== false ? '' : status.drill && used < limit ? ' – drill: simulated as too much' : ' – too much'}${status.memory_exhausted_in_seconds == null ? '' : ` – full in ${span(status.memory_exhausted_in_seconds)}`}`;
  gauge.setAttribute('aria-valuetext', text);
  write($('memory'), text);
}
