'use strict';

const { checkAnswer, checkHeader } = require('./check-answer');

/**
 * Node's own fetch with its default dispatcher, which opens a connection for each request in progress and keeps it.
 *
 * @param {import('.').Target} target
 * @returns {import('.').Session}
 */
function open({ origin, request }) {
  const url = `${origin}${request.path}`;
  const nextInit = requestInit(request);

  function send(done) {
    fetch(url, nextInit()).then((response) => readAnswer(request, response)).then(done, done);
  }

  return { send, close() {} };
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @returns {() => RequestInit}
 */
function requestInit({ method, headers, body }) {
  const init = { method, headers };
  switch (body?.kind) {
    case undefined:
      return () => init;
    case 'whole':
      return () => ({ ...init, body: body.piece });
    default:
      return () => ({ ...init, body: repeated(body), duplex: 'half' });
  }
}

/**
 * @param {import('../workloads').BodySpec} body
 * @returns {ReadableStream}
 */
function repeated({ piece, count }) {
  let left = count;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) {
        controller.enqueue(piece);
      } else {
        controller.close();
      }
    },
  });
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @param {Response} response
 * @returns {Promise<Error | null>}
 */
async function readAnswer(request, response) {
  let length = 0;
  const { header } = request.expect;
  const wrongHeader = header ? checkHeader(request, response.headers.get(header[0])) : null;
  const reader = /** @type {ReadableStream} */ (response.body).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
  }
  return wrongHeader ?? checkAnswer(request, response.status, length);
}

module.exports = { open };
