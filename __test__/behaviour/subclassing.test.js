'use strict';

/** ClientRequest and Agent can be extended in every way in which Node's can. */

const util = require('node:util');
const net = require('node:net');
const nodeHttp = require('node:http');
const { once } = require('node:events');
const {
  bytesOf, cleanUp, http, itOurs, newAgent, responseTo, serve, until, untilPoolIsEmpty,
} = require('../support');

const serveUrl = () => serve((req, res) => res.end(`${req.method} ${req.url} ${req.headers['x-added']}`));

const answerTo = async (req) => String(await bytesOf(await responseTo(req)));

describe('ClientRequest', () => {
  it('can be subclassed by class', async () => {
    class OwnRequest extends http.ClientRequest {
      constructor(options, callback) {
        super({ ...options, path: '/own' }, callback);
        this.own = true;
      }

      _implicitHeader() {
        this.setHeader('X-Added', 'late');
        super._implicitHeader();
      }

      end(...args) {
        this.ended = true;
        return super.end(...args);
      }
    }
    const peer = await serveUrl();
    const req = new OwnRequest(peer.address);
    expect(req).toBeInstanceOf(OwnRequest);
    expect(req).toBeInstanceOf(http.ClientRequest);
    expect(req).toBeInstanceOf(nodeHttp.OutgoingMessage);
    expect(req.end()).toBe(req);
    expect(req).toMatchObject({ own: true, ended: true });
    expect(await answerTo(req)).toBe('GET /own late');
  });

  it('can be subclassed by util.inherits() and call()', async () => {
    function OwnRequest(options, callback) {
      http.ClientRequest.call(this, options, callback);
      this.own = true;
    }
    util.inherits(OwnRequest, http.ClientRequest);
    OwnRequest.prototype.hello = function hello() { return this.path; };
    const peer = await serveUrl();
    const onResponse = jest.fn();
    const req = new OwnRequest({ ...peer.address, path: '/inherited' }, onResponse);
    expect(req).toBeInstanceOf(http.ClientRequest);
    expect(req.hello()).toBe('/inherited');
    req.end();
    expect(await answerTo(req)).toBe('GET /inherited undefined');
    expect(onResponse).toHaveBeenCalledTimes(1);
  });

  it('takes the forms of request() in a subclass, too', async () => {
    class OwnRequest extends http.ClientRequest {}
    const peer = await serveUrl();
    const href = `http://127.0.0.1:${peer.port}/form`;
    for (const args of [[href], [new URL(href)], [href, { method: 'PUT' }], [{ ...peer.address, path: '/form' }]]) {
      const req = new OwnRequest(...args);
      req.end();
      expect(await answerTo(req)).toMatch(/^(GET|PUT) \/form /);
    }
  });

  it('has a prototype that can be patched', async () => {
    const { setHeader } = http.ClientRequest.prototype;
    const hadOwn = Object.hasOwn(http.ClientRequest.prototype, 'setHeader');
    cleanUp(() => {
      if (hadOwn) http.ClientRequest.prototype.setHeader = setHeader;
      else delete http.ClientRequest.prototype.setHeader;
    });
    http.ClientRequest.prototype.setHeader = function patched(name, value) {
      return setHeader.call(this, name, name === 'X-Added' ? `${value}!` : value);
    };
    const peer = await serveUrl();
    const req = http.get({ ...peer.address, headers: { 'X-Added': 'patched' } });
    expect(await answerTo(req)).toBe('GET / patched!');
  });
});

describe('Agent', () => {
  it('works without new', async () => {
    const { Agent } = http;
    const agent = Agent({ keepAlive: true, maxSockets: 3 });
    cleanUp(() => agent.destroy());
    expect(agent).toBeInstanceOf(http.Agent);
    expect(agent).toMatchObject({ keepAlive: true, maxSockets: 3 });
    const peer = await serveUrl();
    expect(await answerTo(http.get({ ...peer.address, agent }))).toMatch(/^GET/);
    expect(Agent()).toBeInstanceOf(http.Agent);
  });

  it('can be subclassed by class', async () => {
    const created = [];
    class OwnAgent extends http.Agent {
      constructor(options) {
        super({ ...options, keepAlive: true });
        this.own = true;
      }

      createConnection(options, callback) {
        created.push(options.port);
        return super.createConnection(options, callback);
      }

      getName(options) {
        return `own:${super.getName(options)}`;
      }
    }
    const agent = new OwnAgent();
    cleanUp(() => agent.destroy());
    expect(agent).toBeInstanceOf(nodeHttp.Agent);
    const peer = await serveUrl();
    for (let i = 0; i < 2; i++) {
      const req = http.get({ ...peer.address, agent });
      expect(await answerTo(req)).toMatch(/^GET/);
      await until(() => req.closed && Object.keys(agent.freeSockets).length === 1);
    }
    expect(created).toEqual([peer.port]);
    expect(Object.keys(agent.freeSockets)[0]).toMatch(/^own:127\.0\.0\.1:/);
    agent.destroy();
    await untilPoolIsEmpty(agent);
  });

  it('can be subclassed by util.inherits() and call()', async () => {
    function OwnAgent(options) {
      http.Agent.call(this, options);
      this.own = true;
    }
    util.inherits(OwnAgent, http.Agent);
    OwnAgent.prototype.addRequest = function addRequest(req, options) {
      req.setHeader('X-Added', 'by the agent');
      return http.Agent.prototype.addRequest.call(this, req, options);
    };
    const agent = new OwnAgent({ keepAlive: true });
    cleanUp(() => agent.destroy());
    expect(agent).toBeInstanceOf(http.Agent);
    expect(agent.own).toBe(true);
    const peer = await serveUrl();
    expect(await answerTo(http.get({ ...peer.address, agent }))).toBe('GET / by the agent');
  });

  it('may create its connections as it likes', async () => {
    class OwnAgent extends http.Agent {
      createConnection(options) {
        return net.connect({ host: '127.0.0.1', port: options.port });
      }
    }
    const agent = new OwnAgent({ keepAlive: true });
    cleanUp(() => agent.destroy());
    const peer = await serveUrl();
    const sockets = new Set();
    for (let i = 0; i < 3; i++) {
      const req = http.get({ host: 'no-such-name.test', port: peer.port, agent });
      const [socket] = await once(req, 'socket');
      sockets.add(socket);
      expect(await answerTo(req)).toMatch(/^GET/);
      await until(() => req.closed);
    }
    expect(sockets.size).toBe(1);
    expect(peer.accepted).toHaveLength(1);
  });

  it('need not be one: an object with addRequest() will do', async () => {
    const peer = await serveUrl();
    const agent = {
      defaultPort: 80,
      protocol: 'http:',
      addRequest: (req, options) => req.onSocket(net.connect(options.port, options.host)),
    };
    const req = http.get({ ...peer.address, agent, path: '/duck' });
    expect(await answerTo(req)).toBe('GET /duck undefined');
    expect(req.agent).toBe(agent);
  });

  itOurs("may be Node's own", async () => {
    const peer = await serveUrl();
    const agent = new nodeHttp.Agent({ keepAlive: true });
    cleanUp(() => agent.destroy());
    for (let i = 0; i < 3; i++) {
      const req = http.get({ ...peer.address, agent });
      expect(await answerTo(req)).toBe('GET / undefined');
      await until(() => req.closed);
    }
    expect(peer.accepted).toHaveLength(1);
  });
});

describe('IncomingMessage', () => {
  it('can be given methods that responses have', async () => {
    const { prototype } = http.IncomingMessage;
    prototype.added = function added() { return this.statusCode; };
    cleanUp(() => delete prototype.added);
    const peer = await serveUrl();
    const res = await responseTo(http.get({ ...peer.address, agent: newAgent() }));
    expect(res.added()).toBe(200);
    await bytesOf(res);
  });
});
