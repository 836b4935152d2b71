'use strict';

/**
 * The names under which agents keep their connections. All options that make one connection unlike another are in them;
 * for https that is most of what tls.connect() knows, and a name costs as much as the rest of a request. So the last
 * ones are kept, with the values that they were made of.
 */

const { isIP } = require('node:net');

/** Origins of an agent whose names are kept. */
const MOST = 64;

/** Own property of an agent: the names of its origins. */
const kNames = Symbol('names');

/** By Node's getName of a kind of agent. */
const partsByMethod = new Map();

/**
 * @param {(options: object) => string} getName Node's own.
 * @returns {Set<string>} The options that the running Node makes a name of.
 */
function partsOf(getName) {
  const parts = new Set();
  // Some are looked at only if another one is there.
  for (const value of [undefined, 'value']) {
    getName.call({}, new Proxy({}, {
      get(_target, key) {
        if (typeof key === 'string') parts.add(key);
        return value;
      },
    }));
  }
  return parts;
}

/** The names of one agent's origins. */
class OriginNames {
  /** @param {(options: object) => string} getName Node's own for this kind of agent. */
  constructor(getName) {
    if (!partsByMethod.has(getName)) partsByMethod.set(getName, partsOf(getName));
    this.getName = getName;
    this.parts = partsByMethod.get(getName);
    /** By host: the name of the last origin there, and what it was made of. */
    this.byHost = new Map();
  }

  /**
   * @param {import('node:http').Agent} agent
   * @param {object} options Of a request.
   * @param {string|undefined} authority Its Host field.
   * @returns {string}
   */
  find(agent, options, authority) {
    const kept = this.byHost.get(options.host);
    if (kept !== undefined && this.isFor(kept.parts, agent, options, authority)) return kept.name;
    const named = { ...options, ...agent.options };
    named.servername = serverNameOf(named, authority);
    const name = this.getName.call(agent, named);
    if (this.byHost.size >= MOST) this.byHost.clear();
    this.byHost.set(options.host, { name, parts: this.collect(agent, options, authority) });
    return name;
  }

  /** All that a name is made of: names of options, each with its value before it. */
  collect(agent, options, authority) {
    const parts = [authority];
    for (const source of [options, agent.options]) {
      for (const key in source) {
        if (this.parts.has(key)) parts.push(snapshotOf(source[key]), key);
      }
    }
    return parts;
  }

  /** Whether `collect` would give these, without an array for each request. */
  isFor(parts, agent, options, authority) {
    if (parts[0] !== authority && this.parts.has('servername')) return false;
    const end = this.match(parts, 1, options);
    return end !== -1 && this.match(parts, end, agent.options) === parts.length;
  }

  /** @returns {number} Where the parts end that are of these options, from a place on; -1 if others would be there. */
  match(parts, at, options) {
    for (const key in options) {
      if (!this.parts.has(key)) continue;
      if (parts[at + 1] !== key || !isSame(parts[at], options[key])) return -1;
      at += 2;
    }
    return at;
  }
}

/**
 * Finds the name of a request's origin.
 * @param {import('node:http').Agent} agent Whose names `getName` makes.
 * @param {(options: object) => string} getName Node's own for this kind of agent.
 * @param {object} options Of the request.
 * @param {string|undefined} authority Its Host field.
 * @returns {string}
 */
function originName(agent, getName, options, authority) {
  agent[kNames] ??= new OriginNames(getName);
  return agent[kNames].find(agent, options, authority);
}

/** A list that somebody changes (of certificates, say) is another one. */
function snapshotOf(value) {
  return Array.isArray(value) ? [...value] : value;
}

function isSame(kept, value) {
  if (kept === value) return true;
  return Array.isArray(value) && Array.isArray(kept) && kept.length === value.length &&
    kept.every((element, index) => element === value[index]);
}

/** The last Host field and the name in it: most requests of a process go to the same few. */
let lastAuthority;
let lastName;

/**
 * The name to tell a server (SNI: RFC 6066, section 3), as Node's agent finds it: none for an address.
 * @param {object} options Of a request and its agent.
 * @param {string|undefined} authority The Host field.
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

function insideBrackets(authority) {
  const end = authority.indexOf(']');
  return end === -1 ? authority : authority.slice(1, end);
}

module.exports = { OriginNames, originName, serverNameOf };
