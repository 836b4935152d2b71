'use strict';

const { once } = require('node:events');

async function ask(superagent, request, kit) {
  const { url, method, headers = {}, body, form, agent, signal, timeout, ca, socketPath } = request;
  Object.assign(superagent.protocols, kit.given({ 'http:': kit.http, 'https:': kit.https }));
  const sent = superagent(method, socketPath ? `http+unix://${encodeURIComponent(socketPath)}${new URL(url).pathname}` : url)
    .set(headers).ok(() => true).buffer(true).parse(superagent.parse.image);
  if (!socketPath) sent.agent(agent);
  if (ca) sent.ca(ca);
  if (timeout) sent.timeout({ response: timeout });
  if (form) sent.field('field', form.field).attach('file', form.file, 'f.txt');
  signal?.addEventListener('abort', () => { sent.abort(); });
  if (typeof body?.pipe === 'function') {
    const answered = once(sent, 'response');
    body.pipe(sent);
    const [response] = await answered;
    return { status: response.status, body: response.body };
  }
  if (body) sent.send(body);
  const response = await sent;
  return { status: response.status, body: response.body };
}

module.exports = {
  load: async () => require('superagent'),
  given: 'transport',
  adapter: {
    ask,
    errors: {
      timeout: { code: 'ECONNABORTED', message: 'Response timeout of 60ms exceeded' },
      aborted: { code: 'ABORTED', message: 'Aborted' },
    },
    gives: {
      // It makes an agent's connections other ones for each request, by what it tells of TLS.
      'asks over TLS through a proxy': { asked: Array(2).fill('CONNECT 127.0.0.1:SECURE') },
    } },
};
