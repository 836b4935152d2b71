'use strict';

/**
 * Every client checks every answer, by the same rules: a run with a wrong one is not a measurement.
 *
 * @param {import('../workloads').RequestSpec} request
 * @param {number} status
 * @param {number} length bytes of body that came
 * @returns {Error | null}
 */
function checkAnswer(request, status, length) {
  if (status === 200 && length === request.expect.length) {
    return null;
  }
  const { method, path, expect } = request;
  return new Error(`${method} ${path}: status ${status} with ${length} bytes instead of 200 with ${expect.length}`);
}

/**
 * @param {import('../workloads').RequestSpec} request
 * @param {string | string[] | null | undefined} value what came in the header field that the workload reads
 * @returns {Error | null}
 */
function checkHeader(request, value) {
  const [name, expected] = /** @type {[string, string]} */ (request.expect.header);
  return value === expected ? null : new Error(`${request.path}: ${name} is ${value} instead of ${expected}`);
}

module.exports = { checkAnswer, checkHeader };
