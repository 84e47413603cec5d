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
function confirmed({ title, text, yes }) {
  const dialog = $('confirm');
  write($('confirm-title'), title);
  write($('confirm-text'), text);
  write($('confirm-yes'), yes);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}
$('confirm-yes').addEventListener('click', () => $('confirm').close('yes'));
$('confirm-no').addEventListener('click', () => $('confirm').close('no'));
