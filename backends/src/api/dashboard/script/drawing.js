// ---- Drawing: at most once a frame, whatever comes.
const waiting = new Set();
function later(show) {
  if (waiting.size === 0) requestAnimationFrame(() => {
    const all = [...waiting];
    waiting.clear();
    all.forEach(show => show());
  });
  waiting.add(show);
}
