// ---- Operating
const ACTS = [
  ['Reset', 'grave', 'breaker/reset', { confirm: true }, 'Reset the breaker?', 'It closes and admits every call at once. The window is forgotten, simulations are undone, a running incident ends.'],
  ['Force open', 'grave', 'breaker/force-open', undefined, 'Force the breaker open?', 'Every call is rejected until the breaker is reset.'],
  ['Simulate slow calls', '', 'breaker/trigger-by-latency', undefined, 'Simulate slow calls?', 'The breaker opens and calls are rejected until the simulation is undone.'],
  ['Simulate full memory', '', 'breaker/trigger-by-memory', undefined, 'Simulate full memory?', 'The breaker opens and calls are rejected until the simulation is undone.'],
  ['Undo simulations', '', 'breaker/restore-memory-check', undefined, 'Undo the simulations?', 'The breaker recovers by itself, as after a real trip.'],
];
for (const [name, style, path, body, title, text] of ACTS) {
  const button = make('button', { type: 'button', class: style }, `${name}\u00a0…`);
  button.addEventListener('click', async () => {
    if (!await confirmed({ title, text, yes: name })) return;
    const [reply, kind] = outcome(await post(path, body));
    showReply($('acted'), `${name}: ${reply}`, kind);
  });
  $('acts').append(button);
}
/** Resolves the confirmation that is asked for, if one is. */
let answer = null;
function confirmed({ title, text, yes }) {
  write($('confirm-title'), title);
  write($('confirm-text'), text);
  write($('confirm-yes'), yes);
  $('confirm').showModal();
  return new Promise(resolve => { answer = resolve; });
}
function decide(yes) {
  answer?.(yes);
  answer = null;
  $('confirm').close();
}
$('confirm-yes').addEventListener('click', () => decide(true));
$('confirm-no').addEventListener('click', () => decide(false));
$('confirm').addEventListener('cancel', () => decide(false));
// A browser may close the dialog without `cancel`. `close` is queued: the dialog may be open again by then, with another question.
$('confirm').addEventListener('close', () => { if (!$('confirm').open) decide(false); });
