'use strict';

const { formOf } = require('../form');

async function ask({ default: fetch, FormData, File }, { url, method, headers, body, form, agent, signal }) {
  const response = await fetch(url, {
    method,
    headers,
    body: form ? formOf(form, { FormData, File }) : body,
    agent,
    signal,
  });
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}

module.exports = {
  load: () => import('node-fetch'),
  given: 'agent',
  adapter: {
    ask,
    lacks: ['timeout'],
    errors: { hangup: { name: 'FetchError', code: 'ECONNRESET' }, aborted: { name: 'AbortError' } },
  },
};
