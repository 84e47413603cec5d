/** Where this page stands, also under a prefix and without a slash at its end: the API is beside it. */
const BASE = new URL(location.pathname.endsWith('/') ? location.pathname : `${location.pathname}/`, location.origin);
/** The breaker and the key that the address names; without one the page is about all, or about the only one. */
const NAMED = new URLSearchParams(location.search).get('breaker'), KEY = new URLSearchParams(location.search).get('key');
const SCOPE = NAMED === null ? 'breaker' : `breakers/${encodeURIComponent(NAMED)}${KEY === null ? '' : `/keys/${encodeURIComponent(KEY)}`}`;
const at = path => new URL(path.replace(/^breaker\//, `${SCOPE}/`), BASE);
const $ = id => document.getElementById(id);
/** Text is only ever set as text. */
const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const draw = (name, attributes = {}, text) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const rough = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const hours = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dated = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const ms = x => x >= 10000 ? `${fine.format(x / 1000)} s` : `${x < 100 ? rough.format(x) : whole.format(x)} ms`;
const span = seconds => seconds < 90 ? `${Math.max(0, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;

const STATES = { closed: 'Closed', open: 'Open', half_open: 'Half-open', disabled: 'Disabled', forced_open: 'Forced open' };
const EFFECTS = {
  closed: 'every call is admitted', open: 'calls are rejected', half_open: 'a few calls are tried',
  disabled: 'every call is admitted, none is measured', forced_open: 'calls are rejected until a reset',
};
const CAUSES = {
  latency: 'latency above the threshold', latency_rising: 'latency above the threshold and rising',
  latency_plateau: 'every call was slow', latency_sustained: 'latency stayed above the threshold',
  failures: 'too many calls failed', memory_forecast: 'memory is about to run out', memory: 'memory ran out', memory_and_latency: 'memory ran out, and latency is above the threshold',
  probe_slow: 'a trial call was slow', probe_failed: 'a trial call failed', wait_over: 'the wait is over',
  recovered: 'the trial calls were good', reset: 'reset by an operator', enable: 'enabled by an operator',
  disable: 'disabled by an operator', force_open: 'forced open by an operator', operator: 'by an operator',
  healthy: 'healthy again', latency_condition: 'latency above the threshold, without a trip', memory_condition: 'memory is about to run out',
};
const TRENDS = { rising: '↗ rising', falling: '↘ falling', steady: '→ steady', oscillating: '∿ oscillating', too_few: '… too few samples' };
const said = word => CAUSES[word] ?? String(word).replaceAll('_', ' ');
/** One shape for each state, so that they differ without colour. */
const SHAPES = {
  closed: [['circle', { cx: 12, cy: 12, r: 10.5 }], ['path', { d: 'M7 12.5l3.4 3.4L17.2 8.6', class: 'cut' }]],
  open: [['path', { d: 'M8 1.5h8l6.5 6.5v8L16 22.5H8L1.5 16V8z' }], ['path', { d: 'M8 8l8 8M16 8l-8 8', class: 'cut' }]],
  half_open: [['circle', { cx: 12, cy: 12, r: 9.5, class: 'ring' }], ['path', { d: 'M12 2.5a9.5 9.5 0 0 1 0 19z' }]],
  disabled: [['circle', { cx: 12, cy: 12, r: 9.5, class: 'ring' }], ['path', { d: 'M6 12h12', class: 'line' }]],
  forced_open: [['rect', { x: 2, y: 2, width: 20, height: 20, rx: 3 }], ['path', { d: 'M12 6v7M12 17v.5', class: 'cut' }]],
  alert: [['path', { d: 'M12 2L23 21H1z' }], ['path', { d: 'M12 9v5M12 17.5v.3', class: 'cut' }]],
  note: [['circle', { cx: 12, cy: 12, r: 6 }]],
  memory: [['rect', { x: 3, y: 6, width: 18, height: 12, rx: 2, class: 'ring' }], ['path', { d: 'M7 10v4M12 10v4M17 10v4', class: 'line' }]],
};
function shape(svg, name, colour) {
  if (svg.dataset.shape === name) return;
  svg.dataset.shape = name;
  svg.setAttribute('class', `c-${colour ?? name}`);
  const paint = {
    cut: { fill: 'none', stroke: 'var(--card)', 'stroke-width': 2.6, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' },
    ring: { fill: 'none', stroke: 'currentColor', 'stroke-width': 2.4 },
    line: { fill: 'none', stroke: 'currentColor', 'stroke-width': 2.6, 'stroke-linecap': 'round' },
  };
  svg.replaceChildren(...SHAPES[name].map(([kind, at]) => draw(kind, { ...at, ...(paint[at.class] ?? { fill: 'currentColor' }) })));
}

// What is known.
let status = null, counts = null, settings = null;
let happenings = [], known = new Set(), lastId = null;
/** The server's clock less ours, in milliseconds. */
let skew = 0, heardAt = 0;
const now = () => Date.now() + skew;
