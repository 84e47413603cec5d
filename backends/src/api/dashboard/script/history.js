// ---- Ribbon and history
const MINUTE = 60000;
/** Texts at whole minutes or hours of the local time, each where that time is. */
function timeTicks(x, begin, end, width, y) {
  const most = Math.max(2, Math.floor(width / 90));
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 180].map(minutes => minutes * MINUTE).find(step => (end - begin) / step <= most) ?? 360 * MINUTE;
  const zone = new Date(begin).getTimezoneOffset() * MINUTE;
  const ticks = [draw('text', { x: width, y, 'text-anchor': 'end' }, 'now')];
  for (let at = Math.ceil((begin - zone) / step) * step + zone; at < end; at += step) {
    if (x(at) < 18 || x(at) > width - 52) continue;
    ticks.push(draw('path', { class: 'grid', d: `M${x(at).toFixed(1)} ${y - 14}v-4` }));
    ticks.push(draw('text', { x: x(at).toFixed(1), y, 'text-anchor': 'middle', 'data-time': at }, hours.format(at)));
  }
  return ticks;
}
/** A logarithmic scale: its end, where a value stands (0 to 1), and the values that get a line. */
function logScale(values, rows) {
  const shown = values.filter(value => value > 0);
  let low = Math.log10(Math.max(.1, Math.min(...shown, 1e9) / 1.5)), high = Math.log10(Math.max(...shown, 1) * 1.5);
  // At least one decade, so that noise does not look like a change.
  if (high - low < 1) { const middle = (high + low) / 2; low = middle - .5; high = middle + .5; }
  const place = value => value <= 0 ? 0 : Math.max(0, Math.min(1, (Math.log10(value) - low) / (high - low)));
  const lines = [[1, 2, 5], [1, 3], [1]].map(digits => {
    const found = [];
    for (let power = Math.floor(low); power <= high; power++) for (const digit of digits) {
      const value = digit * 10 ** power;
      if (Math.log10(value) >= low && Math.log10(value) <= high) found.push(value);
    }
    return found;
  });
  return { place, lines: lines.find(found => found.length <= rows) ?? lines[2] };
}
const axis = value => value >= 10000 ? `${fine.format(value / 1000)} s` : fine.format(value);
/** What the page has seen, and what the server has kept from before, oldest first. */
let history = [];
const HISTORY_HOURS = 6;
function remember(time, percentile, threshold) {
  const last = history.at(-1);
  if (last && time - last.time < 1000) return;
  history.push({ time, percentile, threshold });
  if (history.length > 30000) history = history.filter(point => time - point.time < HISTORY_HOURS * 60 * MINUTE).slice(-25000);
}
async function fetchHistory() {
  try {
    const response = await fetch(at('breaker/history'), { headers: headers({}), cache: 'no-store' });
    if (!response.ok) return;
    const { at_ms, percentile_ms, threshold_ms } = await response.json();
    const earliest = history[0]?.time ?? Infinity;
    history = [...at_ms.map((time, i) => ({ time, percentile: percentile_ms[i], threshold: threshold_ms[i] })).filter(point => point.time < earliest), ...history];
    later(showHistory);
  } catch { /* The page shows what it sees itself. */ }
}
function showHistory() {
  const svg = $('history'), width = svg.clientWidth, height = 150, end = now(), length = $('span').value * MINUTE, begin = end - length;
  if (!width) return;
  const top = 6, bottom = 22;
  const first = history.findLastIndex(point => point.time < begin);
  const points = history.slice(Math.max(0, first));
  const { place, lines } = logScale(points.flatMap(point => [point.percentile ?? 0, point.threshold]), 5);
  const x = time => Math.max(0, Math.min(width, (time - begin) / length * width));
  const y = value => height - bottom - place(value) * (height - top - bottom);
  const drawn = [];
  for (const value of lines) drawn.push(draw('path', { class: 'grid', d: `M0 ${y(value).toFixed(1)}H${width}` }));
  // At most two points for each pixel: the extremes.
  let limit = '', reached = '', open = false, previous = null;
  for (const [i, point] of points.entries()) {
    const isFarOff = previous && point.time - previous.time > Math.max(30000, length / 60);
    limit += limit === '' || isFarOff ? `M${x(point.time).toFixed(1)} ${y(point.threshold).toFixed(1)}` : `H${x(point.time).toFixed(1)}V${y(point.threshold).toFixed(1)}`;
    if (point.percentile === null) open = false;
    else {
      reached += `${open && !isFarOff ? 'L' : 'M'}${x(point.time).toFixed(1)} ${y(point.percentile).toFixed(1)}`;
      open = true;
    }
    previous = point;
    if (i === points.length - 1 && connected) { limit += `H${width}`; if (open) reached += `H${width}`; }
  }
  drawn.push(draw('path', { class: 'limit', d: limit, fill: 'none' }), draw('path', { class: 'reached', d: reached, fill: 'none', 'stroke-linejoin': 'round' }));
  for (const value of lines) drawn.push(...label('', `${axis(value)}${value >= 10000 ? '' : ' ms'}`, 3, y(value) + 4));
  drawn.push(...timeTicks(x, begin, end, width, height - 4));
  svg.replaceChildren(...drawn);
  const known = points.filter(point => point.percentile !== null).map(point => point.percentile);
  const text = known.length ? `Percentile over time: ${ms(Math.min(...known))} to ${ms(Math.max(...known))}, ${known.length} readings` : 'Percentile over time: none known';
  if (svg.getAttribute('aria-label') !== text) svg.setAttribute('aria-label', text);
}
function segments() {
  const found = [];
  for (const { event, data, time, before } of happenings) {
    if (event !== 'transition') continue;
    const last = found.at(-1);
    // Between an earlier life of the server and this one nothing is known.
    if (last) last.until = data.from === null && before ? before : time;
    found.push({ state: data.to, from: time, until: null });
  }
  return found;
}
function showRibbon() {
  const svg = $('ribbon'), width = svg.clientWidth, end = now(), length = $('span').value * 60000, begin = end - length;
  if (!width) return;
  const x = time => Math.max(0, Math.min(width, (time - begin) / length * width));
  const patterns = draw('defs');
  const pattern = (id, d) => {
    const made = draw('pattern', { id, width: 8, height: 8, patternUnits: 'userSpaceOnUse' });
    made.append(draw('path', { d, stroke: 'var(--card)', 'stroke-width': 1.6, 'stroke-opacity': .75, fill: 'none' }));
    patterns.append(made);
  };
  pattern('p-open', 'M-2 2l4-4M0 8l8-8M6 10l4-4');
  pattern('p-half_open', 'M4 0v8');
  pattern('p-disabled', 'M0 4h8');
  pattern('p-forced_open', 'M0 0l8 8M8 0l-8 8');
  const drawn = [patterns, draw('rect', { x: 0, y: 0, width, height: 30, rx: 5, fill: 'var(--well)' })];
  const words = [];
  for (const { state, from, until } of segments()) {
    const stop = until ?? (connected ? end : lastHeard + skew);
    if (stop < begin) continue;
    const left = x(from), wide = Math.max(2, x(stop) - left);
    const box = { x: left, y: 0, width: wide, height: 30, rx: Math.min(4, wide / 2) };
    const piece = draw('g');
    piece.append(draw('title', {}, `${STATES[state]} from ${clock.format(from)}${until ? ` to ${clock.format(until)}` : ''}`));
    piece.append(draw('rect', { ...box, fill: `var(--${state})` }));
    if (state !== 'closed') piece.append(draw('rect', { ...box, fill: `url(#p-${state})` }));
    const name = STATES[state];
    if (wide > name.length * 8 + 14) {
      piece.append(draw('text', { x: left + wide / 2, y: 20, 'text-anchor': 'middle', class: 'on' }, name));
      const on = piece.lastElementChild.style;
      on.fill = `var(--${state})`; on.stroke = 'var(--card)'; on.strokeWidth = '6px'; on.paintOrder = 'stroke'; on.strokeLinejoin = 'round'; on.fontWeight = '650';
    }
    drawn.push(piece);
    words.push(`${name} from ${clock.format(Math.max(from, begin))}`);
  }
  drawn.push(...timeTicks(x, begin, end, width, 47));
  svg.replaceChildren(...drawn);
  const label = `States over time: ${words.slice(-8).join(', ') || 'none known'}`;
  if (svg.getAttribute('aria-label') !== label) svg.setAttribute('aria-label', label);
}
