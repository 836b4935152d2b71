'use strict';

const { pipeline } = require('node:stream/promises');

function ask(followRedirects, { url, method, headers, body, agent, signal, timeout, ca, socketPath }, kit) {
  const { http, https } = kit.isGiven ? followRedirects.wrap({ http: kit.http, https: kit.https }) : followRedirects;
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith('https') ? https : http;
    const req = request(url, { method, headers, agent, ca, socketPath }, (res) => {
      res.toArray().then((chunks) => resolve({ status: res.statusCode, body: Buffer.concat(chunks) }), reject);
    });
    req.on('error', reject);
    if (timeout) req.setTimeout(timeout, () => req.destroy(Object.assign(new Error('too late'), { code: 'LATE' })));
    signal?.addEventListener('abort', () => req.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' })));
    if (typeof body?.pipe === 'function') pipeline(body, req).catch(reject);
    else req.end(body);
  });
}

module.exports = {
  load: async () => require('follow-redirects'),
  given: 'transport',
  // http-proxy-agent sends the header twice where a body is written before its end.
  adapter: {
    ask,
    lacks: ['form', 'decompress', 'proxy'],
    errors: { timeout: { code: 'LATE' }, aborted: { code: 'ENOUGH' } },
    gives: { 'posts text': { method: 'POST', body: 'sent Ã©' } },
  },
};
