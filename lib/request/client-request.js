'use strict';

/**
 * ClientRequest sends one request, and emits what happens to it. The class is there when ferrequest is loaded, for
 * users who derive classes from it, or replace its methods; members.js, which has all else, is loaded with the first
 * request.
 */

const { late } = require('../node/late');
const { LateMembers } = require('../node/late-members');
const { OutgoingMessage } = require('../node/originals');
const { kQueuedOptions, kQueuedResource } = require('../node/queue-symbols');

/** Sets up a request; loaded with the first one. @type {typeof import('./members').construct} */
let construct;

/** Members of the prototype: `__test__/request/members.test.js` proves that they are those of members.js. */
const NAMES = {
  methods: {
    _finish: 0,
    _implicitHeader: 0,
    _flushOutput: 1,
    write: 3,
    end: 3,
    cork: 0,
    uncork: 0,
    abort: 0,
    destroy: 1,
    onSocket: 2,
    adoptStream: 1,
    setTimeout: 2,
    clearTimeout: 1,
    _deferToConnect: 2,
    setNoDelay: 1,
    setSocketKeepAlive: 2,
  },
  accessors: { path: true, attempts: false, timings: false, isWithinWrite: false, isCorkedByUser: false },
};

const lateMembers = new LateMembers(ClientRequest.prototype, NAMES, () => {
  const loaded = require('./members');
  ({ construct } = loaded);
  return loaded.members;
});

/** Loads members.js, whose members take the places of the substitutes. */
const loadMembers = late(() => lateMembers.loaded());

/**
 * @param {string|URL|import('node:http').RequestOptions} input
 * @param {import('node:http').RequestOptions|Function} [options]
 * @param {(res: import('../response/client-response').ClientResponse) => void} [callback]
 * @see https://nodejs.org/api/http.html#class-httpclientrequest
 */
function ClientRequest(input, options, callback) {
  OutgoingMessage.call(this);
  // All that a request comes to have is here, in Node's order: V8 makes room in an object for as many properties as its
  // constructors assign. Each three that come in addition would take another, larger array, to which all are copied.
  this.agent = undefined;
  this.socketPath = undefined;
  this.method = undefined;
  this.maxHeaderSize = undefined;
  this.insecureHTTPParser = undefined;
  this.httpValidation = undefined;
  this.joinDuplicateHeaders = undefined;
  this._ended = false;
  this.res = null;
  this.aborted = false;
  this.timeoutCb = null;
  this.upgradeOrConnect = false;
  this.parser = null;
  this.maxHeadersCount = null;
  this.reusedSocket = false;
  this.host = undefined;
  this.protocol = undefined;
  this[kQueuedOptions] = undefined;
  this[kQueuedResource] = undefined;
  if (construct === undefined) loadMembers();
  construct(this, input, options, callback);
}
Object.setPrototypeOf(ClientRequest.prototype, OutgoingMessage.prototype);
Object.setPrototypeOf(ClientRequest, OutgoingMessage);

module.exports = { ClientRequest };
