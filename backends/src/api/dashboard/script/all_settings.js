// ---- All settings: the list is the server's, with what each means and allows.
const shown = value => value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
/** A text field's value as JSON: numbers, lists and tables as they are written, an empty one as not set. */
function typed(text, type) {
  if (text === '') return null;
  if (type === 'string') return text;
  try { return JSON.parse(text); } catch { return text; }
}
function settingRow(key, { value, about, allowed, unit, type, restart_required: fixed }) {
  const id = `all-${key.replaceAll('.', '-')}`, isFlag = typeof value === 'boolean';
  const input = make('input', { id, type: isFlag ? 'checkbox' : 'text', autocomplete: 'off', 'aria-describedby': `${id}-about ${id}-reply` });
  if (isFlag) { input.setAttribute('role', 'switch'); input.checked = value; } else input.value = shown(value);
  if (fixed) input.disabled = true;
  const reply = make('p', { id: `${id}-reply`, class: 'reply', role: 'status' }, fixed ? 'A change needs a restart.' : '');
  const explained = make('p', { id: `${id}-about`, class: 'about dim' }, `${about} Allowed: ${allowed}.`);
  const send = async wanted => {
    const result = await post('breaker/settings', { [key]: wanted });
    input.setAttribute('aria-invalid', result.reply ? 'true' : 'false');
    if (result.answer && !isFlag) input.value = shown(result.answer[key] ?? null);
    if (result.reply && isFlag) input.checked = !wanted;
    showReply(reply, ...outcome(result));
  };
  const label = make('label', { for: id, ...(isFlag ? { class: 'switch' } : {}) });
  if (isFlag) {
    label.append(input, make('span', {}, key));
    input.addEventListener('change', () => send(input.checked));
    const form = make('form', { class: 'row' }, label, explained, reply);
    form.addEventListener('submit', event => event.preventDefault());
    return form;
  }
  label.append(key);
  const save = make('button', { type: 'submit', 'aria-label': `Save ${key}`, ...(fixed ? { disabled: '' } : {}) }, 'Save');
  const form = make('form', { class: 'row', novalidate: '' }, label, make('div', { class: 'field' }, input, make('span', {}, unit ?? '')), save, explained, reply);
  form.addEventListener('submit', event => { event.preventDefault(); send(typed(input.value.trim(), type)); });
  return form;
}
$('all-settings').addEventListener('toggle', async () => {
  if (!$('all-settings').open) return;
  try {
    const response = await fetch(at('breaker/settings?describe=1'), { headers: headers({}), cache: 'no-store' });
    if (response.status === 401) { askToken(); return; }
    if (!response.ok) throw null;
    const described = await response.json();
    $('all-rows').replaceChildren(...Object.entries(described).map(([key, setting]) => settingRow(key, setting)));
    showReply($('all-reply'), '');
  } catch {
    showReply($('all-reply'), 'The list of settings cannot be read.', 'bad');
  }
});
