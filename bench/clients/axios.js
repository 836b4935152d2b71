'use strict';

const http = require('node:http');
const https = require('node:https');
const axios = require('axios');

const { checkAnswer } = require('./check-answer');

/**
 * @param {import('.').Target} target
 * @returns {import('.').Session}
 */
function open({ protocol, origin, request, connections, ca }) {
  const limits = { keepAlive: true, maxSockets: connections, maxFreeSockets: connections };
  const isTls = protocol === 'https:';
  const agent = isTls ? new https.Agent({ ...limits, ca }) : new http.Agent(limits);
  const url = `${origin}${request.path}`;
  const config = isTls ? { httpsAgent: agent } : { httpAgent: agent };

  function send(done) {
    axios.get(url, config).then(({ status, data }) => done(checkAnswer(request, status, data.length)), done);
  }

  return { send, close: () => agent.destroy() };
}

module.exports = { open };
