'use strict';

const { formOf } = require('../form');

async function ask({ Gaxios }, { url, method, headers, body, form, agent, signal, timeout }) {
  const { status, data } = await new Gaxios().request({
    url, method, headers, agent, signal, timeout,
    body: form ? formOf(form) : body,
    responseType: 'arraybuffer',
    validateStatus: () => true,
  });
  return { status, body: Buffer.from(data) };
}

module.exports = {
  load: () => import('gaxios'),
  node: [22, 0],
  given: 'agent',
  adapter: {
    ask,
    errors: {
      hangup: { code: 'ECONNRESET' },
      timeout: { code: 'TimeoutError' },
      aborted: { message: 'The operation was aborted.' },
    } },
  scenarios: {
    'tries again after a status of 503, as it is told': {
      act: async ({ Gaxios }, kit) => {
        let attempts = 0;
        const error = await kit.errorOf(new Gaxios().request({
          url: `${kit.url}/status/503`,
          agent: kit.agent({ keepAlive: true }),
          retryConfig: { retry: 2, retryDelay: 1, onRetryAttempt: () => { attempts++; } },
        }));
        return { message: error.message, attempts, asked: kit.origin.asked.length };
      },
      gives: { message: 'status 503', attempts: 2, asked: 3 },
    },
  },
};
