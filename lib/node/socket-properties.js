'use strict';

/**
 * Names the own properties that a socket gets while it serves requests.
 *
 * A socket with TLS changes its prototype before it connects. The V8 of Node 20 and 22 gives each such object a hidden
 * class of its own for every property that is added afterwards. Code that meets several such sockets is then slow. If
 * all properties are there beforehand, these sockets have one hidden class in common.
 */

/** @type {Array<[key: string|symbol, initial: unknown]>} */
const properties = [['_httpMessage', undefined], ['parser', undefined], ['timeout', undefined]];

/**
 * Makes a key for an own property of sockets.
 * @param {string} description
 * @param {unknown} [initial] The value where the property has not been set.
 * @returns {symbol}
 */
function socketProperty(description, initial) {
  const key = Symbol(description);
  properties.push([key, initial]);
  return key;
}

/**
 * Gives a socket all of these properties.
 * @param {import('node:net').Socket} socket
 */
function addProperties(socket) {
  for (const [key, initial] of properties) {
    if (!Object.hasOwn(socket, key)) socket[key] = initial;
  }
}

module.exports = { addProperties, socketProperty };
