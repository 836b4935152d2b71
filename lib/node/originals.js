'use strict';

/**
 * Holds classes and methods of Node as they are when ferrequest is loaded. Libraries replace them, before or later; the
 * modules that requests need are not run before the first request, and would take what is there by then for Node's.
 */

const { Socket } = require('node:net');

const { Agent, ClientRequest, IncomingMessage, OutgoingMessage, ServerResponse } = require('./modules').http;

const { createSocket, getName } = Agent.prototype;
const { _addHeaderLine: addHeaderLine } = IncomingMessage.prototype;
const { setHeader } = OutgoingMessage.prototype;
const { _finish: finishRequest } = ClientRequest.prototype;
const { _finish: finishResponse } = ServerResponse.prototype;
const { address } = Socket.prototype;

/**
 * Tells whether a value is a function whose source has a text that Node's own has.
 * @param {unknown} value
 * @param {string} text
 * @returns {boolean}
 */
function hasSource(value, text) {
  return typeof value === 'function' && Function.prototype.toString.call(value).includes(text);
}

module.exports = {
  Agent,
  ClientRequest,
  IncomingMessage,
  OutgoingMessage,
  ServerResponse,
  Socket,
  /** Method of IncomingMessage.prototype. */
  addHeaderLine,
  /** Method of net.Socket.prototype. */
  address,
  /** Method of Agent.prototype. */
  createSocket,
  /** Method of ClientRequest.prototype. */
  finishRequest,
  /** Method of ServerResponse.prototype. */
  finishResponse,
  /** Method of Agent.prototype. */
  getName,
  hasSource,
  /** Method of OutgoingMessage.prototype. */
  setHeader,
};
