'use strict';

const { checkAnswer, checkHeader } = require('./check-answer');
const { openPool, requestOptions } = require('./undici-pool');

/**
 * @param {import('.').Target} target
 * @returns {import('.').Session}
 */
function open(target) {
  const pool = openPool(target);
  const nextOptions = requestOptions(target);
  const { request } = target;

  function send(done) {
    pool.request(nextOptions()).then((answer) => readAnswer(request, answer, done), done);
  }

  return { send, close: () => pool.destroy() };
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @param {import('undici').Dispatcher.ResponseData} answer
 * @param {(error: Error | null) => void} done
 */
function readAnswer(request, { statusCode, headers, body }, done) {
  let length = 0;
  const { header } = request.expect;
  const wrongHeader = header ? checkHeader(request, headers[header[0]]) : null;
  body.on('data', (chunk) => {
    length += chunk.length;
  });
  body.on('end', () => done(wrongHeader ?? checkAnswer(request, statusCode, length)));
  body.on('error', done);
}

module.exports = { open };
