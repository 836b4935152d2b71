'use strict';

/**
 * Finds the names under which agents keep their connections. All options that make one connection unlike another are in
 * a name: for https, most options of tls.connect(). Such a name costs as much as the rest of a request. So the last
 * names are kept, with the values that they were made of.
 */

const { isIP } = require('node:net');

/** Number of hosts of one agent whose last name is kept; past it all names are found anew. */
const MOST_HOSTS = 64;

/** Stands for the value of an option that no name is made of. */
const kOther = Symbol('other');

/** Options that a getName of Node reads, by that function. */
const partsByMethod = new Map();

/**
 * @param {(options: object) => string} getName Node's own.
 * @returns {Set<string>} The options that the running Node makes a name of.
 */
function partsOf(getName) {
  let parts = partsByMethod.get(getName);
  if (parts !== undefined) return parts;
  parts = new Set();
  // Some are looked at only if another one is there.
  for (const value of [undefined, 'value']) {
    getName.call({}, new Proxy({}, {
      get(_target, key) {
        if (typeof key === 'string') parts.add(key);
        return value;
      },
    }));
  }
  partsByMethod.set(getName, parts);
  return parts;
}

/** Names of the origins of one agent. */
class OriginNames {
  /** @param {(options: object) => string} getName Node's own for this kind of agent. */
  constructor(getName) {
    this.getName = getName;
    /** Options that a name is made of. Both are made when the first name is needed. @type {Set<string>|null} */
    this.parts = null;
    /** By host: the name of the last origin there, and what it was made of. @type {Map<string, object>|null} */
    this.byHost = null;
  }

  /**
   * Finds the name of a request's origin.
   * @param {import('node:http').Agent} agent
   * @param {object} options Options of the request.
   * @param {string|undefined} authority Host field of the request.
   * @returns {string|undefined} Undefined if the agent has a getName of its own, which Node's own way calls.
   */
  find(agent, options, authority) {
    if (agent.getName !== this.getName) return undefined;
    this.parts ??= partsOf(this.getName);
    this.byHost ??= new Map();
    const kept = this.byHost.get(options.host);
    if (kept !== undefined && this.isFor(kept, agent, options, authority)) return kept.name;
    const named = { ...options, ...agent.options };
    named.servername = serverNameOf(named, authority);
    const name = this.getName.call(agent, named);
    if (this.byHost.size >= MOST_HOSTS) this.byHost.clear();
    const ofRequest = this.collect(options);
    this.byHost.set(options.host, { name, authority, ofRequest, ofAgent: this.collect(agent.options) });
    return name;
  }

  /** Collects the names of all options, each with its value behind it if a name of an origin is made of that. */
  collect(options) {
    const collected = [];
    for (const key in options) collected.push(key, this.parts.has(key) ? snapshotOf(options[key]) : kOther);
    return collected;
  }

  /** Tells whether a name is that of a request's origin, without an array for each request. */
  isFor({ authority, ofRequest, ofAgent }, agent, options, authorityOfRequest) {
    if (authority !== authorityOfRequest && this.parts.has('servername')) return false;
    return this.match(ofRequest, options) && this.match(ofAgent, agent.options);
  }

  /** Tells whether `collect` would give these options. Those that no name is made of may differ. */
  match(collected, options) {
    let at = 0;
    for (const key in options) {
      // Most requests have the same options in the same order.
      if (collected[at] !== key) return this.matchParts(collected, options);
      const value = collected[at + 1];
      if (value !== kOther && !isSame(value, options[key])) return false;
      at += 2;
    }
    return at === collected.length || this.matchParts(collected, options);
  }

  /** Does the same as `match`, where options come and go that no name is made of. */
  matchParts(collected, options) {
    let at = nextPart(collected, 0);
    for (const key in options) {
      if (!this.parts.has(key)) continue;
      if (collected[at] !== key || !isSame(collected[at + 1], options[key])) return false;
      at = nextPart(collected, at + 2);
    }
    return at === collected.length;
  }
}

/** @returns {number} Index of the next option, from `at` on, that a name is made of; past the last if there is none. */
function nextPart(collected, at) {
  while (at < collected.length && collected[at + 1] === kOther) at += 2;
  return at;
}

/** Names of the origins of one agent for http: of most, a host and a port are all that counts. */
class HttpOriginNames extends OriginNames {
  /** @override */
  constructor(getName) {
    super(getName);
    /** The last origin that has only a host and a port, and its name. */
    this.lastHost = undefined;
    this.lastPort = undefined;
    this.lastName = undefined;
  }

  /** @override */
  find(agent, options, authority) {
    if (agent.getName !== this.getName) return undefined;
    const { host, port } = options;
    const own = agent.options;
    if (options.localAddress || options.family || options.socketPath ||
        own.host || own.port || own.localAddress || own.family || own.socketPath) {
      return super.find(agent, options, authority);
    }
    if (host !== this.lastHost || port !== this.lastPort) {
      this.lastHost = host;
      this.lastPort = port;
      this.lastName = agent.getName(options);
    }
    return this.lastName;
  }
}

/** Copy of an object with a key or certificate: https://nodejs.org/api/tls.html#tlscreatesecurecontextoptions. */
class Material {
  /** @param {object} element */
  constructor({ buf, passphrase, pem }) {
    this.buf = snapshotOf(buf);
    this.passphrase = passphrase;
    this.pem = snapshotOf(pem);
  }

  /** Tells whether an object has the contents that have been copied. */
  isOf({ buf, passphrase, pem }) {
    return this.passphrase === passphrase && isSame(this.buf, buf) && isSame(this.pem, pem);
  }
}

/** Last copy of the bytes of a buffer: the names of all hosts have it in common. @type {WeakMap<object, Buffer>} */
const copies = new WeakMap();

/** Copies a list or bytes, so that a change in them (another certificate, say) is seen. */
function snapshotOf(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(snapshotOfElement);
  if (!ArrayBuffer.isView(value)) return value;
  let copy = copies.get(value);
  if (copy === undefined || !isSame(copy, value)) {
    copy = Buffer.from(bytesOf(value));
    copies.set(value, copy);
  }
  return copy;
}

/** Copies an element of a list. */
function snapshotOfElement(element) {
  return isMaterial(element) ? new Material(element) : snapshotOf(element);
}

/** Tells whether a value is the one that `snapshotOf` has kept. */
function isSame(kept, value) {
  if (typeof value !== 'object' || value === null) return kept === value;
  if (kept instanceof Material) return isMaterial(value) && kept.isOf(value);
  if (Array.isArray(value)) {
    return Array.isArray(kept) && kept.length === value.length &&
      kept.every((element, index) => isSame(element, value[index]));
  }
  if (!ArrayBuffer.isView(value)) return kept === value;
  return Buffer.isBuffer(kept) && kept.equals(bytesOf(value));
}

/** @returns {Uint8Array} The bytes of a view, without a copy. */
function bytesOf(view) {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Tells whether an element of a list is an object with a key or certificate, and perhaps a passphrase. */
function isMaterial(element) {
  return typeof element === 'object' && element !== null && !ArrayBuffer.isView(element) && !Array.isArray(element);
}

/** The last Host field and the name in it: most requests of a process go to the same few. */
let lastAuthority;
let lastName;

/**
 * Finds the name to tell a server (SNI: RFC 6066, section 3) as Node's agent does: an address is none.
 * @param {object} options Options of a request and its agent.
 * @param {string|undefined} authority Host field of the request.
 * @returns {string}
 */
function serverNameOf({ host, servername }, authority) {
  if (servername || servername === '') return servername;
  if (!authority) return isIP(host) ? '' : host;
  if (authority !== lastAuthority) {
    const name = authority[0] === '[' ? insideBrackets(authority) : authority.split(':', 1)[0];
    lastName = isIP(name) ? '' : name;
    lastAuthority = authority;
  }
  return lastName;
}

/** @returns {string} The address in an authority such as `[::1]:80`. */
function insideBrackets(authority) {
  const end = authority.indexOf(']');
  return end === -1 ? authority : authority.slice(1, end);
}

module.exports = { HttpOriginNames, OriginNames, serverNameOf };
