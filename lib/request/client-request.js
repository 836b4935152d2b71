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

/** Sets up a request; loaded with the first one. @type {typeof import('./members').construction} */
let construction;

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
  ({ construction } = loaded);
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
  if (construction === undefined) loadMembers();
  // All that a request comes to have is assigned here: V8 makes room in an object for as many properties as its
  // constructors assign. Each three that come in addition would take another, larger array, to which all are copied.
  // Each is assigned once and in Node's order, because a derived class may have setters.
  const given = construction.begin(this, input, options, callback);
  const { options: checked } = given;
  this.method = given.method;
  this.maxHeaderSize = checked.maxHeaderSize;
  this.insecureHTTPParser = checked.insecureHTTPParser;
  this.httpValidation = checked.httpValidation;
  this.joinDuplicateHeaders = checked.joinDuplicateHeaders;
  construction.direct(this, given);
  this._ended = false;
  this.res = null;
  this.aborted = false;
  this.timeoutCb = null;
  this.upgradeOrConnect = false;
  this.parser = null;
  this.maxHeadersCount = null;
  this.reusedSocket = false;
  this.host = checked.host;
  this.protocol = given.protocol;
  this[kQueuedOptions] = undefined;
  this[kQueuedResource] = undefined;
  construction.complete(this, given);
}
Object.setPrototypeOf(ClientRequest.prototype, OutgoingMessage.prototype);
Object.setPrototypeOf(ClientRequest, OutgoingMessage);

module.exports = { ClientRequest };
