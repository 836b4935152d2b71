'use strict';

/**
 * docs/compat.md says what of Node's client is here. These tests walk the prototypes, instances and source of the Node
 * that runs, and ours, so that nothing is missing there and nothing is claimed that is not so.
 */

const { once, EventEmitter } = require('node:events');
const nodeHttp = require('node:http');
const nodeHttps = require('node:https');
const net = require('node:net');
const { Duplex, Readable } = require('node:stream');
const tls = require('node:tls');

const ferrequest = require('../..');
const ferrequestHttps = require('../../https');
const { cleanUp, describeOurs, itNative, itOfLastReleases, nodeMajor } = require('../support');
const { run } = require('../support/compat/scenarios');
const { namesOfChapter, readTables } = require('../support/compat/tables');

const tables = readTables();

/** The entries of several tables together. */
function entriesOf(chapter, ...sections) {
  return new Map(sections.flatMap((section) => [...tables.get(`${chapter} / ${section}`)]));
}

/** Names of the properties of an object and of its prototypes; the methods of some prototypes are left out. */
function namesOf(object, ...inherited) {
  const names = new Set();
  const common = new Set(inherited.flatMap((prototype) => Object.getOwnPropertyNames(prototype)));
  // Object.prototype, which may be that of another realm, has no prototype.
  for (let owner = object; Object.getPrototypeOf(owner); owner = Object.getPrototypeOf(owner)) {
    for (const name of Object.getOwnPropertyNames(owner)) {
      if (name !== 'constructor' && !(common.has(name) && typeof object[name] === 'function')) names.add(name);
    }
  }
  return names;
}

/** @returns {string} the kind of a property, as users see it */
function kindOf(object, name) {
  for (let owner = object; owner; owner = Object.getPrototypeOf(owner)) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    if (descriptor) return descriptor.get || descriptor.set ? 'accessor' : typeof descriptor.value;
  }
  return 'missing';
}

/** A request in the middle of its response, and what belongs to it. */
async function objectsOf(http) {
  const server = nodeHttp.createServer((_req, res) => res.writeHead(200, { A: 'b' }).write('beginning'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new http.Agent({ keepAlive: true });
  cleanUp(() => new Promise((resolve) => {
    agent.destroy();
    server.close(resolve);
    server.closeAllConnections();
  }));
  const request = http.get({ host: '127.0.0.1', port: server.address().port, agent, timeout: 5000 });
  request.on('error', () => {});
  const [response] = await once(request, 'response');
  response.on('error', () => {});
  await once(response, 'readable');
  return { request, response, agent, socket: request.socket };
}

const CHAPTERS = [
  ['request', 'http.ClientRequest', [EventEmitter.prototype]],
  ['response', 'http.IncomingMessage', [EventEmitter.prototype, Readable.prototype]],
  ['agent', 'http.Agent', [EventEmitter.prototype]],
  ['socket', "The client's socket", [EventEmitter.prototype, Readable.prototype, Duplex.prototype]],
];

describeOurs('docs/compat.md', () => {
  let node;
  let ours;
  beforeEach(async () => {
    [node, ours] = await Promise.all([objectsOf(nodeHttp), objectsOf(ferrequest)]);
  });

  describe.each(CHAPTERS)('of the %s', (kind, chapter, inherited) => {
    const listed = () => entriesOf(chapter, 'Properties', 'Methods');
    const isPublic = (name) => !name.startsWith('_');

    it('lists every member that the running Node has', () => {
      const missing = [...namesOf(node[kind], ...inherited)].filter((name) => isPublic(name) && !listed().has(name));
      expect(missing).toEqual([]);
    });

    itOfLastReleases('lists no member that the running Node should have and has not', () => {
      const wrong = [...listed()].filter(([name, { since }]) => !name.startsWith('those of') && since <= nodeMajor &&
        !(name in node[kind]));
      expect(wrong.map(([name]) => name)).toEqual([]);
    });

    it('says since when Node has a member', () => {
      const early = [...listed()].filter(([name, { since }]) => since > nodeMajor && name in node[kind]);
      expect(early.map(([name]) => name)).toEqual([]);
    });

    it('says yes to what ours has too, and of the same kind', () => {
      const isYes = ([name, { here }]) => !name.startsWith('those of') && here.startsWith('yes') &&
        (name in node[kind] || here.includes('on every Node'));
      const yes = [...listed()].filter(isYes);
      expect(yes.length).toBeGreaterThan(5);
      const kinds = (object) => Object.fromEntries(yes.map(([name]) => [name, kindOf(object, name)]));
      const expected = Object.fromEntries(yes.map(([name]) => {
        return [name, name in node[kind] ? kindOf(node[kind], name) : expect.not.stringMatching('missing')];
      }));
      expect(kinds(ours[kind])).toEqual(expected);
    });

    // Without an I/O thread, sockets are Node's.
    (kind === 'socket' ? itNative : it)('says that something differs only where it does', () => {
      const differing = [...listed()].filter(([, { here }]) => here.startsWith('differs')).map(([name]) => name);
      const same = differing.filter((name) => kindOf(ours[kind], name) === kindOf(node[kind], name) &&
        typeof ours[kind][name] === typeof node[kind][name] && ours[kind][name] === node[kind][name]);
      expect(same).toEqual([]);
    });

    it('has the inherited and the private members of Node', () => {
      const gone = [...namesOf(node[kind])].filter((name) => !(name in ours[kind]));
      expect(gone).toEqual([]);
      const other = [...namesOf(node[kind])].filter((name) => kindOf(node[kind], name) === 'function' &&
        kindOf(ours[kind], name) !== 'function');
      expect(other).toEqual([]);
    });

    it('names what ours has beyond Node', () => {
      const named = namesOfChapter('More than Node has');
      const extra = [...namesOf(ours[kind])].filter((name) => !(name in node[kind]) && !listed().has(name));
      expect(extra.filter((name) => !named.has(name))).toEqual([]);
    });
  });

  it('names what the module has beyond Node', () => {
    const named = namesOfChapter('More than Node has');
    const extra = Object.keys(ferrequest).filter((name) => !(name in nodeHttp));
    const isNamed = (name) => named.has(`http.${name}`) || named.has(`http.${name}()`);
    expect(extra).toEqual(['ClientResponse', 'diagnose', 'stats']);
    expect(extra.filter((name) => !isNamed(name))).toEqual([]);
    expect(Object.keys(nodeHttp).filter((name) => !(name in ferrequest))).toEqual([]);
    expect(Object.keys(ferrequestHttps).sort()).toEqual(Object.keys(nodeHttps).sort());
  });

  it('names the one property of an agent of https that others have not', () => {
    const of = (https) => [...namesOf(new https.Agent())].filter((name) => !name.startsWith('_'));
    const own = of(nodeHttps).filter((name) => !(name in node.agent));
    expect(own).toEqual(['maxCachedSessions']);
    expect(of(nodeHttps).filter((name) => !of(ferrequestHttps).includes(name))).toEqual([]);
  });
});

/** Options that functions of Node read, by their own source. */
function optionsReadBy(...functions) {
  const names = new Set();
  for (const source of functions.map(String)) {
    for (const [, name] of source.matchAll(/\b(?:options|opts|optsWithoutSignal)\??\.(\w+)/g)) names.add(name);
    for (const [, list] of source.matchAll(/\{([^{}]*)\} = (?:options|opts)\b/g)) {
      for (const [, name] of list.matchAll(/(\w+)(?:\s*[:=][^,]*)?(?:,|$)/g)) names.add(name);
    }
  }
  // Set by the agent, for itself.
  names.delete('_agentKey');
  return names;
}

const { Agent } = nodeHttp;

describeOurs('the options in docs/compat.md', () => {
  const request = entriesOf('http.ClientRequest', 'Options of request and get');
  const agent = entriesOf('http.Agent', 'Options');
  const socket = entriesOf("The client's socket", 'Options');
  const all = new Map([...request, ...agent, ...socket]);

  it.each([
    ['a request', request, [nodeHttp.ClientRequest]],
    ['an agent', new Map([...agent, ...socket]), [Agent]],
    ['an agent that makes a connection', all, ['addRequest', 'createSocket', 'createConnection', 'getName']
      .map((name) => Agent.prototype[name])],
    ['a socket', socket, [net.Socket, net.Socket.prototype.connect]],
  ])('are all that %s of the running Node reads', (_what, listed, functions) => {
    const read = optionsReadBy(...functions);
    expect(read.size).toBeGreaterThan(1);
    expect([...read].filter((name) => !listed.has(name))).toEqual([]);
  });

  itOfLastReleases.each([
    ['a request', request, [nodeHttp.ClientRequest]],
    ['an agent', agent, [Agent, Agent.prototype.createSocket, Agent.prototype.keepSocketAlive]],
  ])('are read by %s since when they say', (_what, listed, functions) => {
    const read = optionsReadBy(...functions);
    const wrong = [...listed].filter(([name, { since }]) => read.has(name) !== since <= nodeMajor);
    expect(wrong.map(([name]) => name)).toEqual([]);
  });

  it('of an agent that are there on every Node have their effect', () => {
    const made = new ferrequest.Agent({ agentKeepAliveTimeoutBuffer: 2500 });
    expect(made.agentKeepAliveTimeoutBuffer).toBe(2500);
    expect(new ferrequest.Agent({ agentKeepAliveTimeoutBuffer: -1 }).agentKeepAliveTimeoutBuffer).toBe(1000);
    expect(new ferrequest.Agent().agentKeepAliveTimeoutBuffer).toBe(1000);
  });

  it('of TLS are read by Node itself: the socket is its own', async () => {
    const agentOfTls = new ferrequestHttps.Agent();
    cleanUp(() => agentOfTls.destroy());
    const made = ferrequestHttps.request({ host: '127.0.0.1', port: 1, agent: agentOfTls });
    made.on('error', () => {});
    const [stream] = await once(made, 'socket');
    expect(stream).toBeInstanceOf(tls.TLSSocket);
    made.destroy();
  });
});

describeOurs('the events in docs/compat.md', () => {
  let node;
  let ours;
  beforeAll(async () => {
    node = await run(nodeHttp);
    ours = await run(ferrequest);
  });

  it.each(CHAPTERS)('are all that the %s of the running Node emits', (kind, chapter) => {
    const listed = entriesOf(chapter, 'Events');
    expect([...node[kind]].filter((name) => !listed.has(name))).toEqual([]);
  });

  it.each(CHAPTERS)('of the %s that differ are not emitted, and all others are', (kind, chapter) => {
    const listed = entriesOf(chapter, 'Events');
    const expected = [...node[kind]].filter((name) => listed.get(name).here.startsWith('yes'));
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.filter((name) => !ours[kind].has(name))).toEqual([]);
    expect([...ours[kind]].filter((name) => !node[kind].has(name))).toEqual([]);
  });
});
