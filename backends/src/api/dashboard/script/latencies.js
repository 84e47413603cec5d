// ---- Latencies
function label(name, text, x, y) {
  return [draw('rect', { class: 'plate', x: x - 3, y: y - 12, width: text.length * 7.4 + 6, height: 16, rx: 3 }), draw('text', { class: name, x, y }, text)];
}
function showChart() {
  if (!status) return;
  const svg = $('chart'), { width, height } = svg.getBoundingClientRect();
  if (!width) return;
  const left = 52, right = 6, top = 14, bottom = 22;
  const { recent_latencies_ms: latencies, latency_threshold_ms: limit, current_percentile_ms: reached } = status;
  const slots = Math.max(status.latency_window_size, latencies.length);
  const { place, lines } = logScale([limit, reached ?? 0, ...latencies], 7);
  const y = value => height - bottom - place(value) * (height - top - bottom);
  const slot = (width - left - right) / slots, thick = Math.max(1, Math.min(14, slot * .72));
  const drawn = [];
  for (const value of lines) {
    drawn.push(draw('path', { class: 'grid', d: `M${left} ${y(value).toFixed(1)}H${width - right}` }));
    drawn.push(draw('text', { x: left - 7, y: y(value) + 4, 'text-anchor': 'end' }, axis(value)));
  }
  drawn.push(draw('text', { x: left - 7, y: height - 4, 'text-anchor': 'end' }, 'ms'));
  let fast = '', slow = '';
  latencies.forEach((latency, i) => {
    const x = width - right - (latencies.length - i - .5) * slot;
    const line = `M${x.toFixed(1)} ${height - bottom}V${Math.min(height - bottom - 1.5, y(latency)).toFixed(1)}`;
    if (latency > limit) slow += line; else fast += line;
  });
  drawn.push(draw('path', { class: 'fast', d: fast, 'stroke-width': thick }));
  drawn.push(draw('path', { class: 'slow', d: slow, 'stroke-width': thick }));
  drawn.push(draw('path', { class: 'limit', d: `M${left} ${y(limit)}H${width - right}` }));
  drawn.push(...label('limit-name', `threshold ${ms(limit)}`, left + 6, y(limit) - 7));
  const name = `p${fine.format(status.percentile_value * 100)}`;
  for (const element of document.querySelectorAll('.percentile-name')) write(element, `percentile (${name})`);
  if (reached !== null) {
    drawn.push(draw('path', { class: 'reached', d: `M${left} ${y(reached)}H${width - right}` }));
    // Beside the other name where they would stand upon each other.
    const isNear = Math.abs(y(reached) - y(limit)) < 20;
    drawn.push(...label('reached-name', `${name} ${ms(reached)}`, left + (isNear ? 160 : 6), Math.max(12, y(reached) - 7)));
  }
  drawn.push(draw('text', { x: left, y: height - 4 }, 'older'));
  drawn.push(draw('text', { x: width - right, y: height - 4, 'text-anchor': 'end' }, 'newest'));
  svg.replaceChildren(...drawn);
  const above = latencies.filter(latency => latency > limit).length;
  const share = status.latency_percent_of_threshold;
  svg.setAttribute('aria-label', `${latencies.length} latencies, ${above} above the threshold of ${ms(limit)}; ${name} is ${reached === null ? 'unknown' : ms(reached)}`);
  const trend = `trend ${TRENDS[status.trend]}${status.trend_analysis_enabled ? '' : ' (not used)'}`;
  const held = share === null ? '' : ` · ${name} at ${whole.format(share)} % of the threshold`;
  write($('trend'), `${trend}${held} · ${status.samples} of ${status.latency_window_size} samples`);
}
