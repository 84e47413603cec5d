'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const draw = (name, attributes = {}, text) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const make = (name, text, kind) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
};
const count = data.calls ? data.calls.length : 0;
if (!count || !data.settings.length) return;
$('drawing').hidden = false;

// ----- words

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const digits = x => x >= 100 ? whole.format(x) : String(Number(x.toPrecision(3)));
const latency = micros => micros >= 1e6 ? `${digits(micros / 1e6)} s` : micros >= 1e3 ? `${digits(micros / 1e3)} ms` : `${digits(micros)} µs`;
const two = x => String(x).padStart(2, '0');
const percent = share => share > 0 && share < .001 ? '< 0.1 %' : `${Number((share * 100).toFixed(1))} %`;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** An instant in milliseconds, as finely as `step` needs. */
function instant(ms, step) {
  if (data.utc) {
    const at = new Date(ms);
    const day = `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
    if (step >= 864e5) return step >= 864e5 * 365 ? String(at.getUTCFullYear()) : day;
    const minutes = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
    if (step >= 6e4) return minutes;
    const seconds = `${minutes}:${two(at.getUTCSeconds())}`;
    return step >= 1e3 ? seconds : `${seconds}.${String(at.getUTCMilliseconds()).padStart(3, '0')}`;
  }
  const since = Math.round(ms - data.from), size = Math.abs(since), seconds = Math.floor(size / 1e3);
  const text = `${since < 0 ? '-' : ''}${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return step >= 1e3 ? text : `${text}.${String(size % 1000).padStart(3, '0')}`;
}
const fully = (ms, step) => data.utc ? `${new Date(ms).getUTCFullYear()}-${two(new Date(ms).getUTCMonth() + 1)}-${two(new Date(ms).getUTCDate())} ${instant(ms, Math.min(step, 1e3))}` : instant(ms, Math.min(step, 1e3));
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 2 * 864e5, 7 * 864e5, 14 * 864e5, 30 * 864e5, 90 * 864e5, 365 * 864e5, 5 * 365 * 864e5, 20 * 365 * 864e5];
function timeTicks(from, to, most) {
  const step = STEPS.find(step => (to - from) / step <= most) ?? STEPS.at(-1);
  const origin = data.utc ? 0 : data.from, ticks = [];
  for (let at = Math.ceil((from - origin) / step) * step + origin; at <= to; at += step) ticks.push(at);
  return [ticks, step];
}
/** Round numbers from 0 up, about `most` of them. */
function plainTicks(high, most) {
  const raw = high / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(x => x * power).find(x => x >= raw);
  const ticks = [];
  for (let i = 0; i * step <= high * 1.0001; i++) ticks.push(i * step);
  return ticks;
}
function logTicks(low, high) {
  const spread = Math.log10(high / low), ticks = [];
  const parts = spread > 4 ? [1] : spread > 1.6 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const part of parts) {
      const tick = part * 10 ** power;
      if (tick >= low * .999 && tick <= high * 1.001) ticks.push(tick);
    }
  return ticks;
}

// ----- what is looked at

let chosen = 0, from = data.from, to = Math.max(data.to, data.from + data.width);
let logarithmic = true;
{
  const medians = data.p50.filter(x => x !== null).sort((a, b) => a - b);
  const middle = medians[medians.length >> 1] ?? 1;
  logarithmic = Math.max(...data.most.map(x => x ?? 0), data.settings[0].threshold) > 12 * middle;
}
$('axis').value = logarithmic ? 'log' : 'linear';
const to0 = to;
const begin = i => Math.max(data.start + i * data.width, data.from);
const end = i => Math.min(data.start + (i + 1) * data.width, to0);
const LEFT = 62, RIGHT = 14, LANE = 15;
let width = 1000;
const x = at => LEFT + (at - from) / (to - from) * (width - LEFT - RIGHT);
const at = px => from + (px - LEFT) / (width - LEFT - RIGHT) * (to - from);
const bucketAt = ms => Math.min(count - 1, Math.max(0, Math.floor((ms - data.start) / data.width)));
const seen = () => [bucketAt(from), bucketAt(to)];
const n = px => px.toFixed(1);

/** A band between two columns; a stretch without calls interrupts it. */
function band(low, high, y, least) {
  const [first, last] = seen();
  let path = '', top = [], bottom = [];
  const close = () => { if (top.length) path += `M${top.join('L')}L${bottom.reverse().join('L')}Z`; top = []; bottom = []; };
  for (let i = first; i <= last; i++) {
    if (low[i] === null || high[i] === null) { close(); continue; }
    let a = y(high[i]), b = y(low[i]);
    if (least && b - a < least) { const middle = (a + b) / 2; a = middle - least / 2; b = middle + least / 2; }
    for (const at of [begin(i), end(i)]) { top.push(`${n(x(at))} ${n(a)}`); bottom.push(`${n(x(at))} ${n(b)}`); }
  }
  close();
  return path;
}
function line(values, y) {
  const [first, last] = seen();
  let path = '', pen = 'M';
  for (let i = first; i <= last; i++) {
    if (values[i] === null) continue;
    // Calls may be rare: a gap of a few stretches is none.
    if (i > first + 3 && values.slice(i - 4, i).every(value => value === null)) pen = 'M';
    path += `${pen}${n(x((begin(i) + end(i)) / 2))} ${n(y(values[i]))}`;
    pen = 'L';
  }
  return path;
}
/** Neighbouring stretches of the same state: [state, from, to, share of the time]. */
function states(setting) {
  const runs = [];
  if (setting.changes) {
    let state = 'fine', since = data.from;
    for (const [at, next] of [...setting.changes, [to0, 'end']]) {
      if (at > since) runs.push([state, since, at, 1]);
      state = { open: 'out', half_open: 'half' }[next] ?? 'fine';
      since = at;
    }
    return runs;
  }
  for (let i = 0; i < count; i++) {
    const share = Math.ceil((setting.open[i] + setting.halfOpen[i]) * 10) / 10;
    const state = share > 0 ? (setting.open[i] >= setting.halfOpen[i] ? 'out' : 'half') : 'fine';
    const last = runs.at(-1);
    if (last && last[0] === state && last[3] === share) last[2] = end(i); else runs.push([state, begin(i), end(i), share]);
  }
  return runs;
}
const trips = setting => setting.trips.length >= setting.tripCount.reduce((a, b) => a + b, 0)
  ? setting.trips.map(trip => trip[0])
  : setting.tripCount.flatMap((trips, i) => trips ? [(begin(i) + end(i)) / 2] : []);

// ----- the drawing

let bottomOfPlots = 0;
function paint() {
  width = Math.max(320, Math.round($('plots').clientWidth || 1000));
  const svg = draw('svg', { role: 'img', 'aria-label': document.querySelector('h1').textContent });
  const setting = data.settings[chosen];
  const area = draw('clipPath', { id: 'inside' });
  svg.append(area);
  let top = 4;
  const right = width - RIGHT, inside = right - LEFT;
  const box = (parent, kind, a, b, top, height, least = 0, opacity = 1) => {
    let left = Math.max(LEFT, x(a)), stop = Math.min(right, x(b));
    if (stop < LEFT || left > right) return;
    if (stop - left < least) { left = Math.max(LEFT, Math.min(left, right - least)); stop = left + least; }
    parent.append(draw('rect', { class: kind, x: n(left), y: n(top), width: n(Math.max(0, stop - left)), height: n(height), opacity }));
  };
  const [ticks, step] = timeTicks(from, to, Math.max(2, Math.floor(inside / 105)));
  const frame = (height, title) => {
    svg.append(draw('text', { x: LEFT, y: top + 11, class: 'title' }, title));
    top += 18;
    for (const tick of ticks) svg.append(draw('path', { class: 'grid', d: `M${n(x(tick))} ${top}V${top + height}` }));
  };
  const level = (y, words, plot) => {
    svg.append(draw('path', { class: 'grid', d: `M${LEFT} ${n(y)}H${right}` }));
    svg.append(draw('text', { x: LEFT - 7, y: n(y + 4), 'text-anchor': 'end' }, words));
  };

  // A lane for each setting.
  svg.append(draw('text', { x: LEFT, y: top + 11, class: 'title' }, data.settings.length > 1 ? 'States, by setting' : 'State'));
  top += 18;
  const lanesTop = top;
  data.settings.forEach((setting, i) => {
    if (data.settings.length > 1) {
      svg.append(draw('text', { x: LEFT, y: top + 11, class: i === chosen ? 'drawn' : '' }, setting.name));
      top += 16;
    }
    box(svg, 'lane', from, to, top, LANE);
    for (const [state, a, b, share] of states(setting)) if (state !== 'fine') box(svg, state, a, b, top, LANE, 1.5, share);
    let free = -Infinity;
    for (const trip of trips(setting)) {
      const middle = x(trip);
      if (trip < from || trip > to || middle < free) continue;
      free = middle + 7;
      svg.append(draw('path', { class: 'trip', d: `M${n(middle - 5.5)} ${top - 4}h11l-5.5 9z` }));
    }
    top += LANE + (data.settings.length > 1 ? 6 : 10);
  });
  top += 4;

  // Latencies.
  const [first, last] = seen();
  const visible = column => column.slice(first, last + 1).filter(value => value !== null);
  const highest = Math.max(setting.threshold, ...visible(data.most), ...visible(setting.high)) || 1;
  const lows = [...visible(data.p50), ...visible(data.least).filter(value => value > 0), setting.threshold];
  const lowest = Math.max(1, Math.min(...lows));
  const height = Math.max(220, Math.min(340, inside * .36));
  frame(height, 'Latency');
  for (const [state, a, b, share] of states(setting)) if (state !== 'fine') box(svg, `shade ${state}`, a, b, top, height, 1.5, share);
  const base = top + height;
  // Whole steps at the ends, and never less than a factor of three.
  const low = logarithmic ? lowest / 1.15 : 0, high = logarithmic ? Math.max(highest * 1.15, low * 3) : highest * 1.06;
  const y = logarithmic
    ? value => base - Math.max(0, Math.log(Math.max(value, low) / low) / Math.log(high / low)) * height
    : value => base - value / high * height;
  for (const tick of logarithmic ? logTicks(low, high) : plainTicks(high, 6)) level(y(tick), tick === 0 ? '0' : latency(tick));
  area.append(draw('rect', { x: LEFT, y: 0, width: inside, height: 4000 }));
  const curves = draw('g', { 'clip-path': 'url(#inside)' });
  curves.append(
    draw('path', { class: 'range', d: band(data.p99, data.most, y, 1) }),
    draw('path', { class: 'inner', d: band(data.p50, data.p99, y, 1) }),
    draw('path', { class: 'median', d: line(data.p50, y) }),
    draw('path', { class: 'reached-range', d: band(setting.low, setting.high, y, 1) }),
    draw('path', { class: 'reached', d: line(setting.high, y) }),
    draw('path', { class: 'limit', d: `M${LEFT} ${n(y(setting.threshold))}H${right}` }));
  svg.append(curves);
  const nameY = y(setting.threshold) - 6 < top + 12 ? y(setting.threshold) + 15 : y(setting.threshold) - 6;
  svg.append(draw('text', { x: right - 6, y: n(nameY), 'text-anchor': 'end', class: 'limit-name' }, `threshold ${latency(setting.threshold)}`));
  const tripsSeen = trips(setting).filter(trip => trip >= from && trip <= to);
  for (const trip of tripsSeen) svg.append(draw('path', { stroke: 'var(--open)', 'stroke-width': 1, 'stroke-opacity': tripsSeen.length > 40 ? .2 : .7, d: `M${n(x(trip))} ${top}V${base}` }));
  svg.append(draw('rect', { class: 'frame', x: LEFT, y: top, width: inside, height }));
  top = base + 14;

  // Calls.
  const seconds = data.width / 1e3;
  const rates = setting.admitted.map((made, i) => (made + setting.rejected[i]) / seconds);
  const most = Math.max(...rates.slice(first, last + 1)) || 1;
  const callsHeight = 74;
  frame(callsHeight, 'Calls a second');
  const callsBase = top + callsHeight;
  const rate = value => callsBase - value / (most * 1.08) * callsHeight;
  for (const tick of plainTicks(most, 3)) level(rate(tick), tick === 0 ? '0' : digits(tick));
  const bars = draw('g', { 'clip-path': 'url(#inside)' });
  const made = setting.admitted.map(calls => calls / seconds);
  const none = made.map(() => 0);
  bars.append(draw('path', { class: 'made', d: band(none, made, rate) }));
  bars.append(draw('path', { class: 'out', d: rejectedBars(made, rates, setting, rate) }));
  svg.append(bars, draw('rect', { class: 'frame', x: LEFT, y: top, width: inside, height: callsHeight }));
  top = callsBase + 14;

  // Memory.
  if (data.memoryLow) {
    const memoryHeight = 74;
    frame(memoryHeight, 'Memory in use');
    const memoryBase = top + memoryHeight;
    const high = Math.max(100, ...data.memoryHigh.map(value => value ?? 0));
    const share = value => memoryBase - value / high * memoryHeight;
    for (const tick of [0, 50, 100]) level(share(tick), `${tick} %`);
    const memory = draw('g', { 'clip-path': 'url(#inside)' });
    memory.append(draw('path', { class: 'memory', d: bridged(data.memoryLow, data.memoryHigh, share) }),
      draw('path', { class: 'limit', d: `M${LEFT} ${n(share(setting.memoryThreshold))}H${right}` }));
    svg.append(memory);
    const limit = share(setting.memoryThreshold), nameY = limit - top > 13 ? limit - 4 : limit + 14;
    svg.append(draw('text', { x: right - 6, y: n(nameY), 'text-anchor': 'end', class: 'limit-name' }, `memory threshold ${setting.memoryThreshold} %`));
    svg.append(draw('rect', { class: 'frame', x: LEFT, y: top, width: inside, height: memoryHeight }));
    top = memoryBase + 14;
  }

  // Time.
  let free = 0;
  for (const tick of ticks) {
    const words = instant(tick, step), room = words.length * 3.6;
    const middle = Math.min(Math.max(x(tick), LEFT), right - room);
    if (middle - room < free) continue;
    svg.append(draw('text', { x: n(middle), y: top + 4, 'text-anchor': 'middle' }, words));
    free = middle + room + 8;
  }
  bottomOfPlots = top - 12;
  const unit = data.utc ? (step < 864e5 ? `UTC, ${fully(from, 864e5).slice(0, 10)}${fully(from, 864e5).slice(0, 10) === fully(to, 864e5).slice(0, 10) ? '' : ` to ${fully(to, 864e5).slice(0, 10)}`}` : 'UTC') : 'h:mm:ss since the recording began';
  svg.append(draw('text', { x: right, y: top + 22, 'text-anchor': 'end' }, unit));
  top += 28;
  const cross = draw('path', { class: 'cross', id: 'cross' });
  const selection = draw('rect', { class: 'chosen', id: 'selection', visibility: 'hidden', y: lanesTop, height: bottomOfPlots - lanesTop });
  svg.append(selection, cross);
  svg.setAttribute('viewBox', `0 0 ${width} ${top}`);
  $('plots').querySelector('svg')?.remove();
  $('plots').prepend(svg);
  listen(svg);
  $('tip').hidden = true;
  $('whole').hidden = from === data.from && to === to0;
}
/** Rejected calls on top of those that were made. */
function rejectedBars(made, rates, setting, y) {
  const [first, last] = seen();
  let path = '';
  for (let i = first; i <= last; i++) if (setting.rejected[i])
    path += `M${n(x(begin(i)))} ${n(y(rates[i]))}H${n(Math.max(x(end(i)), x(begin(i)) + 1))}V${n(y(made[i]))}H${n(x(begin(i)))}Z`;
  return path;
}
/** Readings of memory may be rarer than stretches. */
function bridged(low, high, y) {
  const [first, last] = seen();
  const top = [], bottom = [];
  for (let i = Math.max(0, first - 50); i <= Math.min(count - 1, last + 50); i++) {
    if (low[i] === null) continue;
    const middle = n(x((begin(i) + end(i)) / 2));
    let a = y(high[i]), b = y(low[i]);
    if (b - a < 1) { a -= .5; b += .5; }
    top.push(`${middle} ${n(a)}`); bottom.push(`${middle} ${n(b)}`);
  }
  return top.length ? `M${top.join('L')}L${bottom.reverse().join('L')}Z` : '';
}

// ----- pointing at it

function listen(svg) {
  let pressed = null;
  const place = event => {
    const box = svg.getBoundingClientRect();
    return (event.clientX - box.left) * width / box.width;
  };
  const clamp = px => Math.min(width - RIGHT, Math.max(LEFT, px));
  svg.addEventListener('pointermove', event => {
    const px = place(event);
    if (pressed !== null) {
      const [a, b] = [clamp(pressed), clamp(px)].sort((a, b) => a - b);
      const selection = svg.querySelector('#selection');
      for (const [key, value] of Object.entries({ x: n(a), width: n(b - a), visibility: 'visible' })) selection.setAttribute(key, value);
    }
    if (px < LEFT || px > width - RIGHT) return hide();
    svg.querySelector('#cross').setAttribute('d', `M${n(px)} 4V${n(bottomOfPlots)}`);
    showTip(bucketAt(at(px)), event, svg);
  });
  const hide = () => { $('tip').hidden = true; svg.querySelector('#cross').setAttribute('d', ''); };
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('pointerdown', event => { pressed = place(event); svg.setPointerCapture(event.pointerId); });
  svg.addEventListener('pointerup', event => {
    const [a, b] = [clamp(pressed ?? 0), clamp(place(event))].sort((a, b) => a - b);
    const dragged = pressed !== null && b - a > 6;
    pressed = null;
    if (!dragged) return;
    const [newFrom, newTo] = [at(a), at(b)];
    // At least a few stretches, or there would be nothing to see.
    if (newTo - newFrom >= 4 * data.width) { from = newFrom; to = newTo; }
    hide();
    paint();
  });
}
function showTip(i, event, svg) {
  const setting = data.settings[chosen], tip = $('tip');
  const rows = [];
  const row = (words, figure, kind) => { const line = make('div', undefined, kind); line.append(make('span', words), make('span', figure)); rows.push(line); };
  if (data.calls[i]) {
    row('calls finished', whole.format(data.calls[i]));
    row('median', latency(data.p50[i]));
    row('95th percentile', latency(data.p95[i]));
    row('99th percentile', latency(data.p99[i]));
    row('slowest', latency(data.most[i]), data.most[i] > setting.threshold ? 'bad' : '');
  } else row('no call finished', '');
  if (setting.high[i] !== null) {
    const range = setting.low[i] === setting.high[i] ? latency(setting.high[i]) : `${latency(setting.low[i])} – ${latency(setting.high[i])}`;
    row(`breaker's percentile (${setting.percentile})`, range, setting.high[i] > setting.threshold ? 'bad' : '');
  }
  row('calls started', whole.format(setting.admitted[i] + setting.rejected[i]));
  if (setting.rejected[i]) row('rejected', whole.format(setting.rejected[i]), 'bad');
  if (setting.open[i]) row('open', percent(setting.open[i]), 'bad');
  if (setting.halfOpen[i]) row('half-open', percent(setting.halfOpen[i]));
  for (const [at, index, why] of setting.trips) if (bucketAt(at) === i) row(`trip at record ${whole.format(index)}`, why, 'bad');
  if (setting.recoveries[i]) row('closed again', setting.recoveries[i] > 1 ? `${setting.recoveries[i]} times` : '');
  if (data.memoryHigh && data.memoryHigh[i] !== null) row('memory', `${data.memoryHigh[i]} %`, data.memoryHigh[i] >= setting.memoryThreshold ? 'bad' : '');
  const title = make('b', `${fully(begin(i), data.width)} – ${instant(end(i), Math.min(data.width, 1e3))}`);
  tip.replaceChildren(title, ...rows);
  tip.hidden = false;
  const box = $('plots').getBoundingClientRect(), px = event.clientX - box.left;
  const left = px + 18 + tip.offsetWidth > box.width ? px - tip.offsetWidth - 18 : px + 18;
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${Math.max(0, Math.min(event.clientY - box.top - 20, box.height - tip.offsetHeight))}px`;
}

// ----- around it

const LEGEND = [
  ['<path class="median" d="M1 5H24"/>', 'median of the calls'],
  ['<rect class="inner" x="1" width="23" height="10"/>', 'median to 99th percentile'],
  ['<rect class="range" x="1" width="23" height="10"/>', '99th percentile to slowest'],
  ['<rect class="reached-range" x="1" y="4" width="23" height="6"/><path class="reached" d="M1 4H24"/>', 'the percentile that the breaker sees'],
  ['<path class="limit" d="M1 5H24"/>', 'threshold'],
  ['<path class="trip" d="M7 0h11l-5.5 9z"/>', 'trip'],
  ['<rect class="out" x="1" width="23" height="10"/>', 'open; rejected calls'],
  ['<rect class="half" x="1" width="23" height="10"/>', 'half-open'],
];
for (const [shape, words] of LEGEND) {
  const entry = make('span');
  entry.innerHTML = `<svg viewBox="0 0 25 10" aria-hidden="true">${shape}</svg>`;
  entry.append(words);
  $('legend').append(entry);
}
const which = document.querySelector('#which select');
data.settings.forEach((setting, i) => { const option = make('option', setting.name); option.value = i; which.append(option); });
$('which').hidden = data.settings.length < 2;
which.addEventListener('change', () => { chosen = Number(which.value); paint(); });
$('axis').addEventListener('change', () => { logarithmic = $('axis').value === 'log'; paint(); });
const showAll = () => { from = data.from; to = to0; paint(); };
$('whole').addEventListener('click', showAll);
addEventListener('keydown', event => { if (event.key === 'Escape') showAll(); });
let waiting = 0;
addEventListener('resize', () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(paint); });
paint();
})();
