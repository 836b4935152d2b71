'use strict';

async function ask(fetch, { url, method, headers, body, form, agent, signal, timeout }) {
  const response = await fetch(url, { method, headers, body: form ? formOf(form) : body, agent, signal, timeout });
  return { status: response.status, body: await response.buffer() };
}

function formOf({ field, file }) {
  const FormData = require('form-data');
  const form = new FormData();
  form.append('field', field);
  form.append('file', file, { filename: 'f.txt' });
  return form;
}

module.exports = {
  load: async () => require('node-fetch-2'),
  given: 'agent',
  // Its buffer() waits for ever for a body that is cut, on newer versions of Node.
  adapter: {
    ask,
    lacks: ['cut'],
    errors: {
      hangup: { name: 'FetchError', code: 'ECONNRESET' },
      timeout: { name: 'FetchError' },
      aborted: { name: 'AbortError' },
    },
  },
};
