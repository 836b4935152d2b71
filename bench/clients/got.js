'use strict';

const http = require('node:http');
const { pathToFileURL } = require('node:url');

const { checkAnswer } = require('./check-answer');

/**
 * @param {import('.').Target} target
 * @returns {Promise<import('.').Session>}
 */
async function open({ origin, request, connections }) {
  const { got } = await import(pathToFileURL(require.resolve('got')).href);
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
  const url = `${origin}${request.path}`;
  // A retry would hide a failed request.
  const options = { agent: { http: agent }, retry: { limit: 0 } };

  function send(done) {
    got(url, options).then(({ statusCode, body }) => done(checkAnswer(request, statusCode, body.length)), done);
  }

  return { send, close: () => agent.destroy() };
}

module.exports = { open };
