'use strict';

const { checkAnswer, checkHeader } = require('./check-answer');

/**
 * Drives everything that has the API of node:http: one code for Node's client and for ferrequest.
 *
 * @param {import('.').Target} target
 * @param {string} moduleName `node:http`, or where ferrequest is
 * @returns {import('.').Session}
 */
function open(target, moduleName) {
  const api = require(target.protocol === 'https:' ? httpsOf(moduleName) : moduleName);
  const { request } = target;
  const agent = agentFor(api, target);
  const options = {
    [request.hostOption ?? 'host']: target.host,
    port: target.port,
    path: request.path,
    method: request.method,
    headers: headersFor(request),
    agent,
  };
  const sendBody = bodySender(request.body);

  function send(done) {
    const req = api.request(options, (res) => readAnswer(request, res, done));
    req.on('error', done);
    sendBody(req);
  }

  function close() {
    if (agent) {
      agent.destroy();
    }
  }

  return { send, close };
}

/**
 * @param {string} moduleName
 * @returns {string}
 */
function httpsOf(moduleName) {
  return moduleName === 'node:http' ? 'node:https' : `${moduleName}/https.js`;
}

/**
 * @param {typeof import('node:http')} api
 * @param {import('.').Target} target
 * @returns {import('node:http').Agent | false}
 */
function agentFor(api, { connections, newConnections, request, ca, sessions }) {
  const trust = ca === undefined ? {} : { ca };
  if (!newConnections) {
    const limits = { maxSockets: connections, maxFreeSockets: connections };
    return new api.Agent({ keepAlive: true, ...limits, ...trust, ...request.agentOptions });
  }
  switch (sessions) {
    case 'none':
      return new api.Agent({ keepAlive: false, maxCachedSessions: 0, ...trust });
    case 'cached':
      return new api.Agent({ keepAlive: false, ...trust });
    default:
      return false;
  }
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @returns {Record<string, string | number>}
 */
function headersFor({ headers, body }) {
  if (body?.kind === 'stream') {
    return { ...headers, 'content-length': body.piece.length * body.count };
  }
  return { ...headers };
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @param {import('node:http').IncomingMessage} res
 * @param {(error: Error | null) => void} done
 */
function readAnswer(request, res, done) {
  let length = 0;
  const { header } = request.expect;
  const wrongHeader = header ? checkHeader(request, res.headers[header[0]]) : null;
  res.on('data', (chunk) => {
    length += chunk.length;
  });
  res.on('end', () => done(wrongHeader ?? checkAnswer(request, /** @type {number} */ (res.statusCode), length)));
}

/**
 * @param {import('../workloads').BodySpec} [body]
 * @returns {(req: import('node:http').ClientRequest) => void}
 */
function bodySender(body) {
  switch (body?.kind) {
    case 'whole':
      return (req) => req.end(body.piece);
    case 'chunked':
      return (req) => {
        for (let sent = 0; sent < body.count; sent++) {
          req.write(body.piece);
        }
        req.end();
      };
    case 'stream':
      return (req) => writeWithBackpressure(req, body);
    default:
      return (req) => req.end();
  }
}

/**
 * Writes until `write()` answers false, and goes on at 'drain'.
 *
 * @param {import('node:http').ClientRequest} req
 * @param {import('../workloads').BodySpec} body
 */
function writeWithBackpressure(req, { piece, count }) {
  let left = count;
  function writeMore() {
    while (left > 0) {
      left--;
      if (!req.write(piece)) {
        req.once('drain', writeMore);
        return;
      }
    }
    req.end();
  }
  writeMore();
}

module.exports = { open };
