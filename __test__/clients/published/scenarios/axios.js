'use strict';

const { formOf } = require('../form');

/** axios' own transport is follow-redirects; a user who gives one mostly keeps that. */
const transportOf = ({ http, https }, url) => {
  const wrapped = require('follow-redirects').wrap({ http, https });
  return url.startsWith('https') ? wrapped.https : wrapped.http;
};

async function ask(axios, { url, method, headers, body, form, agent, signal, timeout, socketPath }, kit) {
  const { status, data } = await axios.request({
    url, method, headers, signal, timeout, socketPath,
    data: form ? formOf(form) : body,
    httpAgent: agent,
    httpsAgent: agent,
    proxy: false,
    responseType: 'arraybuffer',
    validateStatus: () => true,
    ...kit.given({ transport: transportOf(kit, url) }),
  });
  return { status, body: data };
}

module.exports = {
  load: async () => require('axios'),
  given: 'transport',
  adapter: {
    ask,
    errors: {
      cut: { name: 'AxiosError', code: 'ERR_BAD_RESPONSE', message: 'stream has been aborted' },
      timeout: { name: 'AxiosError', code: 'ECONNABORTED', message: 'timeout of 60ms exceeded' },
      aborted: { name: 'CanceledError', code: 'ERR_CANCELED' },
    } },
};
