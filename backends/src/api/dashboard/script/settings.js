// ---- Settings
const FIELDS = [
  ['latency', 'Latency threshold', 'ms', 'breaker/latency', 'threshold'],
  ['percentile', 'Percentile', 'ratio', 'breaker/percentile', 'percentile'],
  ['latency_window_size', 'Window size', 'samples', 'breaker/latency-window-size', 'size'],
  ['memory', 'Memory threshold', '%', 'breaker/memory', 'threshold'],
  ['wait', 'Wait while open', 's', 'breaker/wait', 'wait_time'],
];
const rows = {};
for (const [key, name, unit, path, field] of FIELDS) {
  const input = make('input', { id: `set-${key}`, type: 'text', inputmode: 'decimal', autocomplete: 'off', 'aria-describedby': `reply-${key}`, disabled: '' });
  const save = make('button', { type: 'submit', disabled: '', 'aria-label': `Save ${name.toLowerCase()}` }, 'Save');
  const reply = make('p', { id: `reply-${key}`, class: 'reply', role: 'status' });
  const form = make('form', { class: 'row', novalidate: '' }, make('label', { for: `set-${key}` }, name), make('div', { class: 'field' }, input, make('span', {}, unit)), save, reply);
  const row = rows[key] = { input, save, reply, unit, inForce: null };
  const isChanged = () => input.value.trim() !== row.inForce;
  row.refresh = () => {
    save.disabled = !isChanged();
    save.className = isChanged() ? 'main' : '';
    if (isChanged()) showReply(reply, `Not saved yet; in force: ${row.inForce} ${unit}.`);
  };
  input.addEventListener('input', () => { row.refresh(); if (!isChanged()) showReply(reply, ''); });
  input.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || row.inForce === null) return;
    input.value = row.inForce;
    row.refresh();
    showReply(reply, '');
  });
  form.addEventListener('submit', async event => {
    event.preventDefault();
    if (!isChanged()) return;
    const text = input.value.trim(), number = Number(text.replace(',', '.'));
    input.setAttribute('aria-busy', 'true');
    // What is no number goes as it is: the server says what it allows.
    const result = await post(path, { [field]: text === '' || Number.isNaN(number) ? text : number });
    input.removeAttribute('aria-busy');
    if (result.answer && result.answer[key] !== undefined) {
      row.inForce = String(result.answer[key]);
      input.value = row.inForce;
      // A button that is disabled would lose the focus.
      if (document.activeElement === save) input.focus();
      row.refresh();
    }
    input.setAttribute('aria-invalid', result.reply ? 'true' : 'false');
    showReply(reply, ...outcome(result));
  });
  $('rows').append(form);
}
const SWITCHES = [
  ['trend_analysis', 'Trend analysis', ['opens only when latency rises or stays', 'opens when latency is above the threshold'],
    on => post('breaker/trend-analysis', { enabled: on })],
  ['enabled', 'Breaker enabled', ['measures and protects', 'admits everything'], on => post(on ? 'breaker/enabled' : 'breaker/disabled'),
    { title: 'Disable the breaker?', text: 'Every call is admitted and none is measured until it is enabled again. A running incident ends.', yes: 'Disable' }],
];
for (const [key, name, [on, off], send, warning] of SWITCHES) {
  const input = make('input', { id: `set-${key}`, type: 'checkbox', role: 'switch', 'aria-describedby': `reply-${key}`, disabled: '' });
  const means = make('em');
  const reply = make('p', { id: `reply-${key}`, class: 'reply', role: 'status' });
  const form = make('form', { class: 'row' }, make('label', { for: `set-${key}`, class: 'switch' }, input, make('span', {}, name, make('br'), means)), reply);
  rows[key] = { input, reply, means, words: [on, off] };
  form.addEventListener('submit', event => event.preventDefault());
  input.addEventListener('change', async () => {
    const wanted = input.checked;
    if (warning && !wanted) {
      // Shows what is in force until the change is confirmed.
      input.checked = true;
      if (!await confirmed(warning)) return;
      input.checked = false;
    }
    const result = await send(wanted);
    if (result.reply) input.checked = !wanted;
    write(means, rows[key].words[input.checked ? 0 : 1]);
    showReply(reply, ...outcome(result));
  });
  $('rows').append(form);
}
function showSettings() {
  for (const [key, value] of Object.entries(settings)) {
    const row = rows[key];
    if (!row) continue;
    row.input.disabled = false;
    if (row.means) {
      row.input.checked = value;
      write(row.means, row.words[value ? 0 : 1]);
      continue;
    }
    const text = String(value), wasChanged = row.inForce !== null && row.input.value.trim() !== row.inForce;
    const isNew = row.inForce !== text;
    row.inForce = text;
    if (!isNew) continue;
    if (!wasChanged) row.input.value = text;
    row.refresh();
  }
}
