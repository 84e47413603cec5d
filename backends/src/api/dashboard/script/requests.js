// ---- Asking
/** Another breaker under another prefix has another token. */
const TOKEN_KEY = `tripline-token ${BASE.pathname}`;
const stored = { get: () => sessionStorage.getItem(TOKEN_KEY), set: token => sessionStorage.setItem(TOKEN_KEY, token) };
const headers = more => {
  const token = stored.get();
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
};
async function post(path, body) {
  let response, answer;
  try {
    response = await fetch(at(path), { method: 'POST', headers: headers(body === undefined ? {} : { 'Content-Type': 'application/json' }), body: body === undefined ? undefined : JSON.stringify(body) });
    answer = await response.json().catch(() => ({}));
  } catch {
    return { reply: 'Not sent: the server cannot be reached.', kind: 'bad' };
  }
  if (response.status === 401) { askToken(); return { reply: 'Not done: the token was rejected.', kind: 'bad' }; }
  if (!response.ok) {
    const allowed = answer.allowed ? ` Allowed: ${answer.allowed}.` : '';
    return { reply: `✕ ${answer.error ?? `the server answered ${response.status}`}.${allowed}`, kind: 'bad' };
  }
  return { answer };
}
function outcome({ answer, reply, kind }) {
  if (reply) return [reply, kind];
  if (answer.saved === false) return [`✓ In force, not saved${answer.reason ? `: ${answer.reason}` : ''}.`, 'wary'];
  if (answer.saved === true) return ['✓ In force and saved.', 'good'];
  return ['✓ Done.', 'good'];
}
function showReply(element, text, kind = '') {
  element.className = `reply ${kind}`;
  write(element, text);
}
