'use strict';

const http = require('node:http');
const axios = require('axios');

const { checkAnswer } = require('./check-answer');

/**
 * @param {import('.').Target} target
 * @returns {import('.').Session}
 */
function open({ origin, request, connections }) {
  const httpAgent = new http.Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
  const url = `${origin}${request.path}`;
  const config = { httpAgent };

  function send(done) {
    axios.get(url, config).then(({ status, data }) => done(checkAnswer(request, status, data.length)), done);
  }

  return { send, close: () => httpAgent.destroy() };
}

module.exports = { open };
