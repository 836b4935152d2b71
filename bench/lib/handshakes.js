'use strict';

// Smallest share of resumed handshakes that counts as right: the first connections have no session to resume.
const FEWEST_RESUMED = 0.9;

/**
 * The TLS handshakes that the server has completed since its start.
 *
 * @typedef {object} HandshakeCounts
 * @property {number} full
 * @property {number} resumed
 *
 * @param {import('./server-process').ServerAddress} server
 * @returns {Promise<HandshakeCounts>}
 */
async function countHandshakes({ host, http }) {
  const response = await fetch(`http://${host}:${http}/handshakes`);
  return /** @type {Promise<HandshakeCounts>} */ (response.json());
}

/**
 * Computes the share of handshakes that resumed a session, and checks that they are what the workload measures.
 *
 * @param {import('../workloads').Workload} workload
 * @param {HandshakeCounts} before
 * @param {HandshakeCounts} after
 * @returns {{ resumed: number, error?: string }}
 */
function judgeHandshakes({ sessions }, before, after) {
  const full = after.full - before.full;
  const resumed = after.resumed - before.resumed;
  const share = resumed / (full + resumed);
  const right = sessions === 'none' ? share === 0 : share >= FEWEST_RESUMED;
  const error = right ? undefined : `${resumed} handshakes resumed a session, and ${full} were full`;
  return { resumed: share, error };
}

module.exports = { countHandshakes, judgeHandshakes };
