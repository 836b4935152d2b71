'use strict';

async function ask(needle, { url, method, headers, body, form, agent, signal, timeout, ca, socketPath }) {
  const data = form && {
    field: form.field,
    file: { buffer: form.file, filename: 'f.txt', content_type: 'text/plain' },
  };
  const { statusCode, body: received } = await needle(method.toLowerCase(), url, data ?? body ?? null, {
    headers,
    agent,
    signal,
    ca,
    socketPath,
    multipart: Boolean(form),
    response_timeout: timeout,
    follow_max: 3,
    follow_keep_method: false,
    compressed: true,
    parse_response: false,
  });
  return { status: statusCode, body: Buffer.from(received) };
}

module.exports = {
  load: async () => require('needle'),
  given: 'agent',
  adapter: {
    ask,
    lacks: ['cut'],
    errors: {
      timeout: { code: 'ECONNRESET', message: 'socket hang up' },
      aborted: { name: 'AbortError', code: 'ABORT_ERR' },
    },
    // Without follow_keep_method it gets whatever it is redirected to.
    gives: { 'follows redirects, also with a body': ['302: GET ', '303: GET ', '307: GET '] },
  },
};
