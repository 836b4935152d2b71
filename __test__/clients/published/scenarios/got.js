'use strict';

const { formOf } = require('../form');

async function ask(got, { url, method, headers, body, form, agent, signal, timeout, ca, socketPath }, kit) {
  const { statusCode, rawBody } = await got(socketPath ? `http://unix:${socketPath}:${new URL(url).pathname}` : url, {
    method, headers, signal,
    body: form ? formOf(form) : body,
    ...socketPath ? { enableUnixSockets: true } : { agent: { http: agent, https: agent } },
    timeout: { response: timeout },
    https: { certificateAuthority: ca },
    retry: { limit: 0 },
    throwHttpErrors: false,
    ...kit.given({ request: url.startsWith('https') ? kit.https.request : kit.http.request }),
  });
  return { status: statusCode, body: Buffer.from(rawBody) };
}

module.exports = {
  load: async () => (await import('got')).default,
  node: [22, 0],
  given: 'transport',
  adapter: {
    ask,
    // http-proxy-agent sends the header twice where a body is written before its end.
    lacks: ['proxy'],
    errors: {
      cut: { name: 'ReadError', code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' },
      timeout: { name: 'TimeoutError', code: 'ETIMEDOUT' },
      aborted: { name: 'AbortError' },
    },
  },
};
