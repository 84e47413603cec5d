// ---- The stream of events
/** The server says something at least every 5 s. */
const SILENCE = 12000;
let connected = false, lastHeard = 0, attempts = 0, timer = 0, retryAt = 0, running = null;
function cut() { running?.abort(); running = null; }
function heard() { lastHeard = Date.now(); }
class Rejected extends Error {}
/** Throws what an answer that is no success says; asks for the token where it is missing. */
async function accepted(response) {
  if (response.status === 401) { askToken(); throw new Rejected('A token is needed.'); }
  if (response.ok) return;
  const answer = await response.json().catch(() => ({}));
  throw new Rejected(`The server says: ${answer.error ?? response.status}.`);
}
async function connect() {
  clearTimeout(timer);
  retryAt = 0;
  cut();
  wantsToken = false;
  const abort = running = new AbortController();
  const watchdog = setInterval(() => { if (Date.now() - Math.max(lastHeard, began) > SILENCE) abort.abort(); }, 1000);
  const began = Date.now();
  let trouble = 'The server ended the stream.';
  try {
    await choose(abort.signal);
    if (KEY !== null) await poll(abort.signal);
    const more = lastId === null ? {} : { 'Last-Event-ID': lastId };
    const response = await fetch(at(view === 'all' ? 'breakers/events' : 'breaker/events'), { headers: headers(more), signal: abort.signal, cache: 'no-store' });
    await accepted(response);
    const date = Date.parse(response.headers.get('Date'));
    // The header has whole seconds; a smaller difference is none.
    skew = Math.abs(date - Date.now()) > 2000 ? date + 500 - Date.now() : 0;
    await read(response.body);
  } catch (error) {
    trouble = error instanceof Rejected ? error.message : 'The server cannot be reached.';
  }
  clearInterval(watchdog);
  if (running !== null && running !== abort) return;
  running = null;
  if (wantsToken) { lose('A token is needed.'); return; }
  attempts += 1;
  lose(trouble);
  retryIn(Math.min(10000, 500 * 2 ** Math.min(attempts - 1, 5)) * (.75 + Math.random() * .5));
}
/** A member of a family has no events: its status is polled until the request fails. */
async function poll(signal) {
  for (;;) {
    const response = await fetch(at('breaker/status'), { headers: headers({}), signal, cache: 'no-store' });
    await accepted(response);
    takeStatus(await response.json());
    heard();
    if (!connected) win();
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}
async function read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const events = buffer.split('\n\n');
    buffer = events.pop();
    events.forEach(take);
    heard();
    if (!connected) win();
  }
}
function takeStatus(data) {
  status = data;
  heardAt = Date.now();
  remember(now(), data.current_percentile_ms, data.latency_threshold_ms);
  for (const show of [showState, showHistory, showChart, showFlow]) later(show);
}
function take(text) {
  let event = 'message', id = null, data = '';
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    const [field, value] = [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
    if (field === 'event') event = value; else if (field === 'id') id = value; else if (field === 'data') data += value;
  }
  if (data === '') return;
  data = JSON.parse(data);
  if (event === 'status') takeStatus(data);
  else if (event === 'breakers') { names = data.breakers; later(showAll); }
  else if (event === 'breaker') { cards.set(data.name, worst(data)); later(showAll); }
  else if (event === 'counts') { counts = data; later(showFlow); }
  else if (event === 'settings') { settings = data; showSettings(); }
  else happened(event, id, data);
}
function win() {
  connected = true;
  attempts = 0;
  document.body.classList.remove('lost');
  $('connection').className = 'live';
  write($('connection'), 'live');
  if (!$('lost').hidden) write($('said'), 'Connected again.');
  $('lost').hidden = true;
  if (view === 'all') return;
  later(showRibbon);
  fetchHistory();
  fetchKeys();
}
let lossText = '';
function lose(trouble) {
  connected = false;
  lossText = trouble;
  document.body.classList.add('lost');
  $('connection').className = 'lost';
  write($('connection'), 'not connected');
  $('lost').hidden = false;
  showLoss();
}
function showLoss() {
  const since = lastHeard ? ` The figures are those of ${clock.format(lastHeard)}.` : '';
  const wait = retryAt ? ` Trying again in ${span(Math.max(0, (retryAt - Date.now()) / 1000))}.` : '';
  // What changes every second is not read out every second.
  const line = $('lost').firstElementChild;
  if (!line.firstChild) line.append(make('span'), make('span', { 'aria-hidden': 'true' }));
  write(line.firstChild, `${lastHeard ? 'Connection lost.' : 'Not connected.'} ${lossText}${since}`);
  write(line.lastChild, wait);
}
function retryIn(milliseconds) {
  clearTimeout(timer);
  retryAt = Date.now() + milliseconds;
  timer = setTimeout(connect, milliseconds);
  if (!connected && !$('lost').hidden) showLoss();
}
$('again').addEventListener('click', () => retryIn(0));
addEventListener('online', () => { if (!connected) retryIn(0); });
document.addEventListener('visibilitychange', () => { if (!document.hidden && !connected && !$('ask').open) retryIn(0); });

$('span').addEventListener('change', () => { showRibbon(); showHistory(); });
new ResizeObserver(() => { later(showRibbon); later(showHistory); later(showChart); }).observe($('main'));
// Nothing is asked here: clocks on the page move on.
setInterval(() => {
  if (view !== 'one') {
    if (!connected && retryAt) showLoss();
    return;
  }
  showRibbon();
  showHistory();
  showRate();
  if (connected) showState(); else if (retryAt) showLoss();
}, 1000);
setInterval(() => { if (connected && !document.hidden) fetchKeys(); }, 2000);
connect();
