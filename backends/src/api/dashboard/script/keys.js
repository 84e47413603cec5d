// ---- The keys of a family
const KEYS_SHOWN = 100;
/** The row of the family that the page is about; null for another breaker, and for a member. */
let family = null;
const addressOfKey = key => `${addressOf(NAMED)}&key=${encodeURIComponent(key)}`;
async function fetchRows(path) {
  const response = await fetch(new URL(path, BASE), { headers: headers({}), cache: 'no-store' });
  await accepted(response);
  return response.json();
}
/** The page of a family lists its members, the worst first; it is itself that of the shared one. */
async function fetchKeys() {
  if (NAMED === null || KEY !== null) return;
  try {
    const { breakers: [row] } = await fetchRows(`breakers?limit=1&match=${encodeURIComponent(NAMED)}`);
    family = (row?.keys ?? null) === null ? null : row;
    later(showState);
    $('family').hidden = family === null;
    if (family === null) return;
    const found = [];
    for (const state of GROUPS) {
      const limit = KEYS_SHOWN + 1 - found.length;
      if (limit > 0) found.push(...(await fetchRows(`breakers/${encodeURIComponent(NAMED)}/keys?limit=${limit}&state=${state}`)).keys);
    }
    showKeys(found.filter(({ key }) => key !== '*').slice(0, KEYS_SHOWN));
  } catch { /* The stream reports a server that is lost. */ }
}
const members = new Map();
function showKeys(rows) {
  write($('keys-open'), keysOf(family));
  for (const row of rows) {
    let shown = members.get(row.key);
    if (!shown) members.set(row.key, shown = card(row.key, addressOfKey(row.key)));
    showCard(shown, { ...row, since: null, latency_threshold_ms: family.latency_threshold_ms });
  }
  const items = rows.map(({ key }) => members.get(key).item), list = $('keys');
  const has = new Set(rows.map(({ key }) => key));
  for (const key of members.keys()) if (!has.has(key)) members.delete(key);
  // Only what changes is touched: a link keeps the focus.
  if (items.length !== list.childElementCount || items.some((item, nth) => item !== list.children[nth])) list.replaceChildren(...items);
  const rest = family.keys - rows.length, more = rest > 0 ? `${whole.format(rest)} more are closed or less urgent. ` : '';
  write($('keys-rest'), `${more}The rest of this page is about the shared member, for calls without a key.`);
}
