// ---- Timeline
const drilled = (data, title) => data.drill ? `Drill: ${title}` : title;
const PHASES = { began: 'began', ended: 'is over' };
const STAGES = { single: 'sent', initial: 'sent, first stage', escalated: 'escalated', resolved: 'closed', taken_over: 'taken over by another' };
function described({ event, data }) {
  if (event === 'transition') {
    const steps = data.steps > 1 ? `${data.steps} steps, too quick to be seen one by one` : '';
    const title = data.from === null ? `Recording began: ${STATES[data.to].toLowerCase()}` : data.from === data.to ? 'Reset' : `${STATES[data.from]} → ${STATES[data.to].toLowerCase()}`;
    return [data.to, data.to, drilled(data, title), [data.why ?? (data.cause && said(data.cause)), steps].filter(Boolean).join(' · ')];
  }
  if (event === 'incident') return ['note', data.phase === 'began' ? 'open' : 'closed', `Incident ${data.incident} ${PHASES[data.phase] ?? data.phase}`, said(data.cause)];
  if (event === 'alert') {
    const over = data.stage === 'resolved' || data.stage === 'taken_over';
    return ['alert', over ? 'closed' : 'half_open', drilled(data, `Alert ${data.alert}: ${data.note ? 'note, twice as many replicas open' : STAGES[data.stage] ?? data.stage}`), [data.fleet, data.priority, `incident ${data.incident}`, data.why ?? said(data.cause), data.passed_after_seconds == null ? '' : `false trip, passed after ${fine.format(data.passed_after_seconds)} s`].filter(Boolean).join(' · ')];
  }
  if (event === 'false_trip') {
    const passed = data.passed_after_seconds === null ? '' : `passed after ${fine.format(data.passed_after_seconds)} s`;
    const next = data.tolerance_ms === null ? '' : `evidence must last ${fine.format(data.tolerance_ms / 1000)} s from now on`;
    return ['note', 'half_open', 'False trip: the first probes were all good', [passed, next].filter(Boolean).join(' · ')];
  }
  const usage = data.usage_percent === null ? '' : `${fine.format(data.usage_percent)} % in use`;
  const words = { ok: ['closed', 'Memory is fine'], exhausted: ['open', 'Memory ran out'], unknown: ['half_open', 'Memory is unknown'], running_out: ['half_open', 'Memory is about to run out'] };
  const [colour, title] = words[data.state] ?? ['half_open', `Memory: ${data.state}`];
  return ['memory', colour, title, usage];
}
function happened(event, id, data) {
  if (id !== null) lastId = id;
  if (known.has(id)) return;
  known.add(id);
  // That recording began is no news of many.
  if (view === 'all' && event === 'transition' && data.from === null) return;
  const time = data.at === null ? now() : Date.parse(data.at);
  const happening = { event, data, time, before: happenings.length ? lastHeard + skew : 0 };
  happenings.push(happening);
  const [icon, colour, title, more] = described(happening);
  const mark = draw('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' });
  shape(mark, icon, colour);
  const text = make('div', {}, ...data.breaker === undefined ? [] : [make('a', { href: addressOf(data.breaker) }, data.breaker)], title);
  if (more) text.append(make('small', {}, more));
  const when = make('time', { datetime: data.at ?? '', title: dated.format(time) }, clock.format(time));
  const list = $(view === 'all' ? 'all-timeline' : 'timeline');
  const item = make('li', { 'data-time': time }, mark, text, when);
  // What different threads report may come a little out of order.
  list.insertBefore(item, [...list.children].find(other => Number(other.dataset.time) <= time) ?? null);
  while (list.childElementCount > 200) list.lastElementChild.remove();
  if (happenings.length > 500) happenings = happenings.slice(-400);
  later(showRibbon);
}
