// ---- All breakers
/** Groups from the worst to the best. */
const GROUPS = ['open', 'forced_open', 'half_open', 'disabled', 'closed'];
let names = null;
/** The row of each breaker, and what shows it. */
const cards = new Map(), items = new Map(), groups = {}, chips = {};
const filter = { state: new URLSearchParams(location.search).get('state'), text: new URLSearchParams(location.search).get('find') ?? '' };
if (!GROUPS.includes(filter.state)) filter.state = null;

for (const state of [null, ...GROUPS]) {
  const count = make('b', {}, '0'), button = make('button', { type: 'button', 'aria-pressed': String(filter.state === state) });
  if (state !== null) {
    const mark = draw('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' });
    shape(mark, state);
    button.append(mark);
  }
  button.append(state === null ? 'All' : STATES[state], count);
  button.addEventListener('click', () => { filter.state = filter.state === state ? null : state; refine(); });
  chips[state] = { button, count };
  $('states').append(button);
}
for (const state of GROUPS) {
  const mark = draw('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }), count = make('small'), list = make('ul', { class: 'cards', role: 'list' });
  shape(mark, state);
  const title = make('h2', { id: `group-${state}` }, STATES[state], count);
  title.prepend(mark);
  const section = make('section', { class: 'group', 'data-state': state, 'aria-labelledby': `group-${state}`, hidden: '' }, title, list);
  groups[state] = { section, count, list };
  $('groups').append(section);
}
$('find').value = filter.text;
$('find').addEventListener('input', () => { filter.text = $('find').value; refine(); });
/** The filter stands in the address: a link keeps it, and so does the way back. */
function refine() {
  for (const [state, { button }] of Object.entries(chips)) button.setAttribute('aria-pressed', String(String(filter.state) === state));
  const asked = new URLSearchParams();
  if (filter.state !== null) asked.set('state', filter.state);
  if (filter.text !== '') asked.set('find', filter.text);
  window.history.replaceState(null, '', asked.size ? `?${asked}` : location.pathname);
  showAll();
}

/** A family is open while one of its keys is. */
const worst = row => row.open_keys > 0 && row.state !== 'forced_open' ? { ...row, state: 'open' } : row;
function card(name, address = addressOf(name)) {
  const title = make('b', { title: name }, name), figure = make('span', { class: 'at' }), bar = make('i'), more = make('small');
  const level = make('span', { class: 'level', 'aria-hidden': 'true' }, bar, make('u'));
  const link = make('a', { class: 'card', href: address }, title, figure, level, more);
  return { item: make('li', {}, link), link, figure, level, bar, more, state: null };
}
const keysOf = ({ keys, open_keys: open }) => keys === null || keys === undefined ? '' : `${whole.format(open ?? 0)} of ${whole.format(keys)} ${keys === 1 ? 'key' : 'keys'} open`;
function showCard(shown, row) {
  const { current_percentile_ms: reached, latency_threshold_ms: limit } = row;
  write(shown.figure, reached === null ? 'no calls' : ms(reached));
  shown.bar.style.width = `${Math.min(100, (reached ?? 0) / limit * 66.6).toFixed(1)}%`;
  shown.level.classList.toggle('above', reached !== null && reached > limit);
  const since = row.since === null ? '' : `since ${(now() - Date.parse(row.since) < 20 * 60 * MINUTE ? clock : dated).format(new Date(row.since))}`;
  const parts = row.state === 'closed' ? [`threshold ${ms(limit)}`]
    : row.state === 'open' || row.state === 'half_open' ? [row.trip_reason && said(row.trip_reason), since] : [EFFECTS[row.state]];
  const fleet = /open/.test(row.fleet ?? '') ? row.fleet : '';
  const text = [fleet, keysOf(row), ...parts].filter(Boolean).join(' · ');
  write(shown.more, text);
  shown.more.title = text;
  shown.link.className = `card c-${row.state}`;
}
function showAll() {
  if (names === null) return;
  const rows = names.map(name => cards.get(name)).filter(Boolean);
  const wanted = filter.text.trim().toLowerCase();
  const total = Object.fromEntries(GROUPS.map(state => [state, 0]));
  const next = Object.fromEntries(GROUPS.map(state => [state, groups[state].list.firstElementChild]));
  for (const row of rows) {
    total[row.state] += 1;
    let shown = items.get(row.name);
    if (!shown) items.set(row.name, shown = card(row.name));
    if (shown.row !== row) showCard(shown, row);
    if (shown.row && shown.row.state !== row.state) write($('said'), `${row.name} is ${STATES[row.state].toLowerCase()}.`);
    shown.row = row;
    shown.item.hidden = !row.name.toLowerCase().includes(wanted);
    // In the order of the configuration; only what moves is touched.
    if (shown.item === next[row.state]) next[row.state] = shown.item.nextElementSibling;
    else {
      for (const state of GROUPS) if (next[state] === shown.item) next[state] = shown.item.nextElementSibling;
      groups[row.state].list.insertBefore(shown.item, next[row.state]);
    }
  }
  const known = new Set(names);
  for (const [name, shown] of items) if (!known.has(name)) { shown.item.remove(); items.delete(name); cards.delete(name); }
  let visible = 0;
  for (const state of GROUPS) {
    const { section, count, list } = groups[state];
    const matching = [...list.children].filter(item => !item.hidden).length;
    section.hidden = matching === 0 || (filter.state !== null && filter.state !== state);
    if (!section.hidden) visible += matching;
    write(count, matching === total[state] ? whole.format(total[state]) : `${whole.format(matching)} of ${whole.format(total[state])}`);
    write(chips[state].count, whole.format(total[state]));
    chips[state].button.hidden = total[state] === 0 && filter.state !== state;
  }
  write(chips[null].count, whole.format(rows.length));
  $('none').hidden = visible > 0 || rows.length === 0;
  showSummary(rows, total);
}
function showSummary(rows, total) {
  const worst = GROUPS.find(state => total[state] > 0) ?? 'closed', many = rows.length, of = `of ${whole.format(many)} breakers`;
  const be = n => n === 1 ? 'is' : 'are';
  const text = many === 0 ? 'No breaker'
    : total[worst] === many ? (many === 1 ? `The breaker is ${STATES[worst].toLowerCase()}` : `All ${whole.format(many)} breakers are ${STATES[worst].toLowerCase()}`)
      : `${whole.format(total[worst])} ${of} ${be(total[worst])} ${STATES[worst].toLowerCase()}`;
  shape($('all').querySelector('.headline > svg'), worst);
  $('summary').className = `c-${worst}`;
  $('summary').dataset.state = worst;
  write($('summary'), text);
  const others = GROUPS.filter(state => state !== worst && total[state] > 0).map(state => `${whole.format(total[state])} ${STATES[state].toLowerCase()}`);
  const alone = rows.find(row => /unreachable/.test(row.fleet ?? ''));
  if (alone) others.push(`fleet ${alone.fleet}`);
  write($('summary-why'), many === 0 ? 'the configuration has none' : others.join(' · ') || EFFECTS[worst]);
  document.title = `${many > 0 && worst !== 'closed' ? `${total[worst]} ${STATES[worst].toLowerCase()}` : 'All closed'} – ${many} breakers – Tripline`;
  if (!$('all').dataset.isShown) {
    $('all').dataset.isShown = 'yes';
    scrollTo(0, Number(sessionStorage.getItem(SCROLL_KEY) ?? 0));
  }
}
/** The way back leads to the place where the page was left. */
const SCROLL_KEY = `tripline-scroll ${BASE.pathname}`;
addEventListener('pagehide', () => { if (view === 'all') sessionStorage.setItem(SCROLL_KEY, String(scrollY)); });
$('recent').open = matchMedia('(min-width: 64rem)').matches;
