'use strict';

/**
 * A bounded part of the fault storm; `npm run soak` has no bounds. The storm runs in a process of its own, whose
 * descriptors are nothing but the client's. Clients with faults prove that the storm sees each kind of breach.
 */

const http = require('node:http');
const https = require('node:https');
const path = require('node:path');

const { cleanUp, describeOurs, ROOT, runNode } = require('../support');
const { BREACHES } = require('../../soak/storm/verdict');
const { Storm } = require('../../soak/storm/storm');

const SCRIPT = path.join(ROOT, 'soak', 'run.js');

/** Milliseconds that a storm may take, well above what it does on a busy machine. */
const TIMEOUT = 110_000;

const none = Object.keys(BREACHES).map((name) => `${name} 0`).join(', ');

describeOurs('under fire, a client loses nothing, doubles nothing and leaks nothing', () => {
  it.each([
    ['all transports together', ['--transport', 'native,stream,duplex,tls', '--no-forgeries'], 500],
    ['connections of the I/O thread', ['--transport', 'native'], 400],
    ['lent connections', ['--transport', 'lent'], 400],
    ['streams', ['--transport', 'stream,duplex'], 400],
    // A forged answer can be taken over TLS: forged-response.test.js has the test that fails for that.
    ['TLS', ['--transport', 'tls', '--no-forgeries'], 300],
    ['lent connections with TLS', ['--transport', 'lent-tls', '--no-forgeries'], 300],
  ])('over %s', async (_what, options, count) => {
    const args = [SCRIPT, '--requests', String(count), '--seed', '6', ...options];
    const { code, stdout, stderr } = await runNode(args, { timeout: TIMEOUT });
    expect(stderr).toBe('');
    expect(stdout).toContain(`: ${count} requests, ${none}\n`);
    expect(code).toBe(0);
  }, TIMEOUT + 5000);
});

/** Puts a client under a small storm, and gives what the verdict says. */
async function breachesOf(request, { agent = http.Agent } = {}) {
  const client = { http: { request, Agent: agent }, https };
  const setting = { transports: ['native'], forges: false };
  const storm = new Storm({ client, seed: 3, setting, limit: 20, deadline: 1000, patience: 200 });
  cleanUp(() => storm.stop());
  await storm.start({ warmUp: 150 });
  return storm.verdict.breaches;
}

/** A request of Node's client whose listeners of an event are given something else. */
function requestWith(change) {
  return (options) => {
    const req = http.request(options);
    change(req, options);
    return req;
  };
}

describeOurs('the storm sees', () => {
  it('a request that is sent twice', async () => {
    const breaches = await breachesOf(requestWith((req, options) => {
      if (options.method !== 'GET') return;
      http.request({ ...options, agent: false }, (res) => res.resume()).on('error', () => {}).end();
    }));
    expect(breaches.doubled).toBeGreaterThan(0);
  }, TIMEOUT);

  it('another byte in a body', async () => {
    const breaches = await breachesOf(requestWith((req) => {
      req.prependListener('response', (res) => {
        const { push } = res;
        res.push = function pushOther(chunk, ...args) {
          if (chunk?.length > 10) chunk[chunk.length >> 1] ^= 1;
          return Reflect.apply(push, this, [chunk, ...args]);
        };
      });
    }));
    expect(breaches.corrupted).toBeGreaterThan(0);
  }, TIMEOUT);

  it('an upload that lacks its end', async () => {
    const breaches = await breachesOf(requestWith((req) => {
      const { end } = req;
      req.end = function endEarly(chunk, ...args) {
        return Reflect.apply(end, this, [chunk?.length > 1000 ? Buffer.alloc(chunk.length) : chunk, ...args]);
      };
    }));
    expect(breaches.corrupted).toBeGreaterThan(0);
  }, TIMEOUT);

  it('an error that does not come, and a close that does not', async () => {
    const silent = await breachesOf(requestWith((req) => {
      const { emit } = req;
      req.emit = function emitNoError(name, ...args) {
        return name === 'error' || Reflect.apply(emit, this, [name, ...args]);
      };
    }));
    expect(silent.lost).toBeGreaterThan(0);
    const open = await breachesOf(requestWith((req) => {
      const { emit } = req;
      req.emit = function emitNoClose(name, ...args) {
        return (name === 'close' && req.method === 'PUT') || Reflect.apply(emit, this, [name, ...args]);
      };
    }));
    expect(open.hung).toBeGreaterThan(0);
  }, TIMEOUT);

  it('a cut response that ends as if it were whole', async () => {
    const breaches = await breachesOf(requestWith((req) => {
      req.prependListener('response', (res) => {
        res.prependListener('aborted', () => {
          res.complete = true;
          res.emit('end');
        });
      });
    }));
    expect(breaches.truncated).toBeGreaterThan(0);
  }, TIMEOUT);

  it('an error in place of an answer, and an error of another kind', async () => {
    const breaches = await breachesOf(requestWith((req) => {
      req.prependListener('response', (res) => {
        if (res.statusCode === 404) req.destroy(Object.assign(new Error('invented'), { code: 'ECONNRESET' }));
        if (res.statusCode === 500) req.destroy(new TypeError('invented'));
      });
    }));
    expect(breaches.dropped).toBeGreaterThan(0);
    expect(breaches.miscoded).toBeGreaterThan(0);
  }, TIMEOUT);

  it('a socket that is never given back', async () => {
    class Leaking extends http.Agent {
      destroy() {}
    }
    const breaches = await breachesOf(http.request, { agent: Leaking });
    expect(breaches.leaked).toBeGreaterThan(0);
  }, TIMEOUT);
});
