// ---- Token
let wantsToken = false;
function askToken() {
  const dialog = $('ask');
  wantsToken = true;
  cut();
  if (dialog.open) return;
  showReply($('ask-reply'), stored.get() ? 'The token was rejected.' : '', 'bad');
  $('token').value = '';
  dialog.showModal();
}
$('ask').addEventListener('close', () => { if (wantsToken) retryIn(0); });
$('ask').querySelector('form').addEventListener('submit', event => {
  event.preventDefault();
  const token = $('token').value.trim();
  // A header takes nothing else.
  if (!/^[\x21-\x7e]+$/.test(token)) { showReply($('ask-reply'), 'A token has no spaces and only plain characters.', 'bad'); return; }
  stored.set(token);
  $('token').value = '';
  $('ask').close();
});
