// ---- State
function showState() {
  if (!status) return;
  const name = KEY === null ? status.name : `${status.name}/${KEY}`;
  write($('name'), name);
  // A family with open keys is not shown as closed because its shared member is.
  const isOpen = family?.open_keys > 0, seen = isOpen ? worst({ ...family, state: status.state }).state : status.state;
  shape($('now').firstElementChild, seen);
  const state = $('state');
  state.className = `c-${seen}`;
  write(state, isOpen ? keysOf(family) : STATES[status.state]);
  if (state.dataset.state !== status.state) {
    state.dataset.state = status.state;
    const reason = status.trip_reason ? `: ${status.drill ? 'drill, ' : ''}${said(status.trip_reason)}` : '';
    write($('said'), `The breaker is ${STATES[status.state].toLowerCase()}${reason}.`);
  }
  document.title = `${status.drill ? 'Drill: ' : ''}${STATES[status.state]} – ${name} – Tripline`;
  write($('why'), why());
  const evidence = status.trip?.text ?? '';
  $('evidence').hidden = evidence === '';
  write($('evidence'), evidence);
  const tolerance = decides(status.decision);
  $('tolerance').hidden = tolerance === '';
  write($('tolerance'), tolerance);
  $('drill').hidden = !status.drill;
  write($('drill').firstElementChild, status.drill ? 'Drill: an operator simulated a fault. Nothing is wrong with the service itself. “Undo simulations” ends it.' : '');
  const observing = status.mode === 'observe', would = status.would_reject ?? 0;
  const unrouted = Object.values(status.followed_log?.unrouted ?? {}).reduce((sum, calls) => sum + calls, 0);
  $('observing').hidden = !observing;
  write($('observing').firstElementChild, observing ? `Observe mode: no call is rejected. ${whole.format(would)} ${would === 1 ? 'call' : 'calls'} would have been rejected so far.${status.followed_log ? ` Follows ${status.followed_log.file}${status.followed_log.delay_seconds == null ? '' : `, ${span(status.followed_log.delay_seconds)} behind`}${unrouted > 0 ? `; ${whole.format(unrouted)} of its calls are for no breaker` : ''}.` : ''}` : '');
  const problems = [], log = status.followed_log;
  if (log?.problem) problems.push(`Log ${log.file}: ${log.problem}`);
  if (status.config_error) problems.push(`Configuration: ${status.config_error}`);
  if (status.supervisor !== 'running') problems.push(`Supervisor ${status.supervisor}`);
  if (status.fleet && /open|unreachable/.test(status.fleet)) problems.push(`Fleet: ${status.fleet}`);
  if (status.alert_problem) problems.push(`Alerts: ${status.alert_problem}`);
  $('problem').hidden = problems.length === 0;
  write($('problem').firstElementChild, problems.join(' · '));
}
const SOURCES = { start: 'to start with', learned: 'learned', warm_up: 'of the warm-up', fixed: 'set by trip_after' };
/** What opens it, in one line. */
function decides(decision) {
  if (!decision) return '';
  const parts = [], seconds = ms => `${fine.format(ms / 1000)} s`;
  if (decision.tolerance_ms === null) parts.push('opens as soon as latency is above the threshold');
  else parts.push(`opens after ${seconds(decision.tolerance_ms)} of evidence (${SOURCES[decision.tolerance_source] ?? decision.tolerance_source})`);
  if (decision.test !== null && status.state === 'closed') parts.push(`${decision.test} evidence for ${seconds(decision.age_ms)}`);
  if (decision.failed_threshold_percent !== null) parts.push(`failed ${decision.failed_percent === null ? '–' : fine.format(decision.failed_percent)} %, opens at ${fine.format(decision.failed_threshold_percent)} %`);
  if (decision.false_trips > 0) parts.push(`${whole.format(decision.false_trips)} false ${decision.false_trips === 1 ? 'trip' : 'trips'}`);
  return parts.join(' · ');
}
const OBSERVED = { open: 'calls would be rejected', half_open: 'a few calls would be tried', forced_open: 'calls would be rejected until a reset' };
function why() {
  const parts = [...(family === null ? [] : [`shared member ${STATES[status.state].toLowerCase()}`]), status.mode === 'observe' ? OBSERVED[status.state] ?? EFFECTS[status.state] : EFFECTS[status.state]];
  if (status.trip_reason && status.state !== 'forced_open') parts.push(`reason: ${status.trip?.drill ? 'drill, simulated by an operator' : said(status.trip_reason)}`);
  if (status.incident_ends_in_seconds !== null && status.incident_ends_in_seconds !== undefined) parts.push(`the incident ends in ${span(status.incident_ends_in_seconds)} if all stays well`);
  if (status.state === 'open') {
    const left = status.retry_after_ms === null ? null : (status.retry_after_ms - (Date.now() - heardAt)) / 1000;
    if (left === null) parts.push('held open until the cause is gone');
    else parts.push(left > 0 ? `next trial call in ${span(Math.ceil(left))}` : 'the next call is a trial');
  }
  if (status.last_trip_time) parts.push(`last trip ${dated.format(new Date(status.last_trip_time))}`);
  else parts.push('no trip since the start');
  return parts.join(' · ');
}
