// ---- One breaker, or all of them
/** 'one' or 'all'; null until the server has said how many there are. */
let view = null;
const addressOf = name => `?breaker=${encodeURIComponent(name)}`;
/** Chooses the view by the address, else by the number of breakers, which a changed configuration may have changed too. */
async function choose(signal) {
  if (NAMED !== null) { show('one'); return; }
  const response = await fetch(at('breakers?limit=2'), { headers: headers({}), signal, cache: 'no-store' });
  await accepted(response);
  const { breakers } = await response.json();
  show(breakers.length === 1 && breakers[0].keys === null ? 'one' : 'all');
}
function show(chosen) {
  if (view === chosen) return;
  // What one view knows is nothing to the other.
  if (view !== null) { location.reload(); return; }
  view = chosen;
  document.body.dataset.view = chosen;
  $('back').hidden = NAMED === null;
  $('back').setAttribute('href', KEY === null ? location.pathname : addressOf(NAMED));
  if (KEY === null) return;
  document.body.dataset.member = '';
  $('back').setAttribute('aria-label', 'All keys');
  write($('back').firstElementChild, ' keys');
}
if (NAMED !== null) show('one');
