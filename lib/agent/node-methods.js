'use strict';

/** Tells which methods of Node's agent are still Node's own. */

const { createSocket: createSocketOfNode, hasSource } = require('../node/originals');

/** False where a library has replaced createSocket before ferrequest was loaded, to see the sockets. */
const isOfNode = hasSource(createSocketOfNode, 'options._agentKey = name');

/**
 * @param {Function} createSocket
 * @returns {boolean} True if it is Node's own, which only merges options and makes the socket.
 */
function isPlainCreateSocket(createSocket) {
  return isOfNode && createSocket === createSocketOfNode;
}

module.exports = { isPlainCreateSocket };
