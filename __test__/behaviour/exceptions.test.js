'use strict';

/** An exception in a listener reaches 'uncaughtException' with its own stack, and loses no other event. */

const { isOracle, itMends, runScript } = require('../support');
const { describeTransports } = require('../support/transports');

// The events of one request, each of which a listener can throw in, in their order.
const EVENTS = [
  'req socket', 'req finish', 'req continue', 'req information', 'req information', 'req response',
  'res data', 'res data', 'res end', 'req close', 'res close',
];

// After these, Node does not send the request, does not parse the rest of the segment, or does not go on reading.
const LOST_IN_NODE = new Set([
  'req socket', 'req finish', 'req continue', 'req information', 'req response', 'res data',
]);

/**
 * A write that has waited for a net.Socket of Node's to connect calls back before the socket begins to read, which the
 * exception keeps it from.
 */
const isOfNet = ({ isStream, isTls }, event) => isStream && !isTls && event === 'req finish';

describeTransports('an exception in a listener', (transport) => {
  const throwers = [...new Set(EVENTS)].filter((event) => !isOfNet(transport, event));
  /** One exchange for each thrower, in one process for all, which is started by the first test that wants it. */
  let result;
  const exchanges = () => (result ??= transport.runScript(async (http, names, { serveRaw, agentTo }) => {
    let seen;
    process.on('uncaughtException', (error) => {
      if (!/at (\w+\.)?throwing/.test(error.stack)) throw error;
      seen.push(`thrown in ${error.message}`);
    });
    const exchange = async (thrower) => {
      seen = [];
      const watch = (emitter, label, events) => events.forEach((name) => {
        emitter.on(name, () => seen.push(`${label} ${name}`));
        if (thrower === `${label} ${name}`) emitter.on(name, function throwing() { throw new Error(thrower); });
      });
      const peer = await serveRaw((socket) => socket.once('data', () => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n' +
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
        setTimeout(() => socket.write('3\r\ndef\r\n0\r\n\r\n'), 30);
        // One that waits for what it has lost would do so for ever.
        setTimeout(() => socket.destroy(), 1000);
      }));
      const req = http.get({ ...peer.address, agent: await agentTo(peer) });
      const closed = new Promise((resolve) => { req.on('close', () => setTimeout(resolve, 20)); });
      req.on('response', (res) => watch(res, 'res', ['data', 'end', 'close']));
      watch(req, 'req', ['socket', 'finish', 'continue', 'information', 'response', 'close']);
      await closed;
      return seen;
    };
    const all = {};
    for (const thrower of names) all[thrower] = await exchange(thrower);
    console.log(JSON.stringify(all));
    process.exit();
  }, { args: isOracle ? throwers.filter((event) => !LOST_IN_NODE.has(event)) : throwers }));

  describe.each(throwers)("of '%s'", (event) => {
    itMends(LOST_IN_NODE.has(event))('reaches uncaughtException, and the other events still come', async () => {
      const { stdout, ...rest } = await exchanges();
      expect(rest).toMatchObject({ code: 0, stderr: '' });
      // A Readable of Node closes itself after the listeners of 'end', if none throws.
      const events = event === 'res end' ? EVENTS.filter((name) => name !== 'res close') : EVENTS;
      expect(JSON.parse(stdout)[event]).toEqual(
        events.flatMap((name) => (name === event ? [name, `thrown in ${name}`] : [name])));
    });
  });
});

describeTransports('an exception in a listener', (transport) => {
  // Node does not emit the request's 'close' then.
  itMends(true)("of 'upgrade' leaves the socket usable and the request closed", async () => {
    const result = await transport.runScript(async (http, args, { serveRaw, agentTo }) => {
      process.on('uncaughtException', (error) => console.log(error.message));
      const peer = await serveRaw((socket) => socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
        socket.pipe(socket);
      }));
      const headers = { Connection: 'Upgrade', Upgrade: 'x' };
      const req = http.get({ ...peer.address, agent: await agentTo(peer), headers });
      req.on('close', () => console.log('close'));
      req.on('upgrade', (res, socket) => {
        setTimeout(() => socket.write('echo'), 10);
        socket.on('data', (chunk) => {
          console.log(String(chunk));
          socket.destroy();
          peer.server.close();
        });
        throw new Error('thrown');
      });
    });
    expect(result).toMatchObject({ code: 0, stdout: 'thrown\nclose\necho\n', stderr: '' });
  });

  it("of 'timeout' leaves the request as it was", async () => {
    const result = await transport.runScript(async (http, args, { serveRaw, agentTo }) => {
      process.on('uncaughtException', (error) => console.log(error.message));
      let answer;
      const peer = await serveRaw((socket) => socket.once('data', () => {
        answer = () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      }));
      const agent = await agentTo(peer);
      const req = http.get({ ...peer.address, agent, timeout: 20 }, (res) => res.resume());
      req.on('timeout', () => {
        const answerWhenAsked = () => answer ? answer() : setImmediate(answerWhenAsked);
        setImmediate(answerWhenAsked);
        throw new Error('thrown');
      });
      req.on('response', () => console.log('response'));
      req.on('close', () => {
        console.log('close');
        process.exit();
      });
    });
    expect(result).toMatchObject({ code: 0, stdout: 'thrown\nresponse\nclose\n', stderr: '' });
  });

  // Node does not emit the request's 'close' then.
  itMends(true)("of 'error' does not keep 'close' from coming", async () => {
    const result = await transport.runScript(async (http, args, { serveRaw, agentTo }) => {
      process.on('uncaughtException', (error) => console.log(error.message));
      const peer = await serveRaw((socket) => socket.resume());
      const agent = await agentTo(peer);
      const req = http.get({ ...peer.address, agent });
      req.on('finish', () => setImmediate(() => req.destroy()));
      req.on('error', () => { throw new Error('thrown'); });
      req.on('close', () => {
        console.log('close', Object.keys(agent.sockets).length);
        process.exit();
      });
    });
    expect(result).toMatchObject({ code: 0, stdout: 'thrown\nclose 0\n', stderr: '' });
  });

  it('in the callback of a write that is called off does not keep the socket from being closed', async () => {
    const result = await transport.runScript(async (http, args, { serveRaw, agentTo }) => {
      const seen = [];
      process.on('uncaughtException', (error) => seen.push(error.message));
      const peer = await serveRaw((socket) => socket.pause());
      const agent = await agentTo(peer, {}, true);
      const req = http.request({ ...peer.address, agent, method: 'POST' });
      req.on('error', ({ code }) => seen.push(code));
      req.on('close', () => setTimeout(() => {
        console.log([...seen.sort(), Object.keys(agent.sockets).length].join());
        process.exit();
      }, 20));
      // More than the kernel takes.
      req.write(Buffer.alloc(20_000_000), () => { throw new Error('thrown'); });
      req.on('socket', (socket) => {
        const destroy = () => setTimeout(() => req.destroy(), 50);
        if (socket.connecting) socket.on('connect', destroy);
        else destroy();
      });
    });
    expect(result).toMatchObject({ code: 0, stdout: 'ECONNRESET,thrown,0\n', stderr: '' });
  });

  // Node stops sending then.
  itMends(true).each([['write', 1], ['end', 2]])('in the callback of %s() loses nothing', async (_, thrower) => {
    const result = await transport.runScript(async (http, index, { serveRaw, agentTo }) => {
      const seen = [];
      process.on('uncaughtException', (error) => seen.push(error.message));
      const peer = await serveRaw((socket) => {
        let text = '';
        socket.on('data', (chunk) => {
          text += chunk;
          if (!text.endsWith(text.includes('chunked') ? '\r\n0\r\n\r\n' : '\r\n\r\n')) return;
          const body = (text.slice(text.indexOf('\r\n\r\n') + 4).match(/^[a-z]+/gm) ?? []).join('');
          text = '';
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        });
      });
      const options = { ...peer.address, agent: await agentTo(peer), method: 'POST' };
      const req = http.request(options, (res) => {
        let text = '';
        res.on('data', (chunk) => { text += chunk; }).on('end', () => seen.push(text));
      });
      const done = (which) => () => {
        seen.push(`sent ${which}`);
        if (which === index) throw new Error(`thrown ${which}`);
      };
      req.write('a', done(0));
      req.write('b', done(1));
      req.end('c', done(2));
      req.on('close', () => setImmediate(() => {
        const next = http.request(options, (res) => {
          res.resume();
          console.log([...seen, `reused ${next.reusedSocket}`].join());
          process.exit();
        });
        next.end();
      }));
    }, { args: thrower });
    const sent = ['sent 0', 'sent 1', 'sent 2'];
    sent.splice(thrower + 1, 0, `thrown ${thrower}`);
    expect(result).toMatchObject({ code: 0, stdout: `${[...sent, 'abc', 'reused true'].join()}\n`, stderr: '' });
  });
});

/**
 * Has a request answered with segments, each when the events of the last one have come, and then the end if that is
 * wanted. Listeners of the events in `throwers` throw. Gives the events, and what reaches 'uncaughtException'.
 */
const follow = async (http, { segments, ends, throwers = [], headers, extra }, { serveRaw, agentTo }) => {
  const { AsyncLocalStorage } = require('node:async_hooks');
  const log = [];
  const storage = new AsyncLocalStorage();
  const write = (text) => log.push(storage.getStore() === 'mine' ? text : `${text} in another context`);
  process.on('uncaughtException', ({ message }) => log.push(message));
  const peer = await serveRaw((socket) => socket.once('data', () => {
    const send = (index) => {
      const isLast = index === segments.length - 1;
      if (isLast && ends) socket.end(segments[index]);
      else socket.write(segments[index]);
      if (isLast) return;
      // Nothing of it has come yet.
      const before = log.length;
      const sendNext = () => (log.length > before ? setTimeout(send, 10, index + 1) : setTimeout(sendNext, 1));
      sendNext();
    };
    send(0);
    // A request that waits for what it has lost would do so for ever.
    setTimeout(() => socket.destroy(), 1000);
  }));
  const agent = await agentTo(peer);
  const req = storage.run('mine', () => http.get({ ...peer.address, agent, headers }));
  const on = (emitter, name, describe) => emitter.on(name, (...args) => {
    write(`${name} ${describe(...args)}`);
    if (throwers.includes(name)) throw new Error(`thrown in ${name}`);
  });
  on(req, 'continue', () => '');
  on(req, 'information', ({ statusCode }) => statusCode);
  on(req, 'error', ({ code }) => code);
  on(req, 'response', (res) => {
    on(res, 'data', String);
    on(res, 'end', () => res.complete);
    on(res, 'error', ({ code }) => code);
    return res.statusCode;
  });
  on(req, 'upgrade', (res, socket, head) => {
    socket.destroy();
    return head;
  });
  const over = new Promise((resolve) => {
    req.on('close', () => {
      const waitUntilFree = (turns) => setTimeout(() => {
        if (turns > 0 && Object.keys(agent.sockets).length > 0) return waitUntilFree(turns - 1);
        return resolve(log.concat(`${Object.keys(agent.sockets).length} in use`).map((line) => line.trim()));
      }, 10);
      waitUntilFree(50);
    });
  });
  on(req, 'close', () => '');
  if (extra) new Function('req', 'log', 'require', extra)(req, log, require);
  const lines = await over;
  process.removeAllListeners('uncaughtException');
  return lines;
};

const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Each row has what is asked of `follow`, and what it gives; `extra` is source for a function of request and log. */
const FOLLOWED = {
  'loses no piece of a body, also if the next piece makes one throw too': {
    segments: [`${HEAD}3\r\nabc\r\n1\r\nd\r\n`, '3\r\nefg\r\n0\r\n\r\n'],
    throwers: ['data'],
    expected: [
      'response 200', 'data abc', 'thrown in data', 'data d', 'thrown in data', 'data efg', 'thrown in data',
      'end true', 'close', '0 in use',
    ],
  },
  ...Object.fromEntries(['continue', 'response', 'data'].map((thrower) => [`of '${thrower}' is told before the end`, {
    segments: ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabc'],
    ends: true,
    throwers: [thrower],
    expected: ['continue', 'information 100', 'response 200', 'data abc', 'end true', 'close', '0 in use'].flatMap(
      (name) => (name.split(' ')[0] === thrower ? [name, `thrown in ${thrower}`] : [name])),
  }])),
  'does not make whole what is cut': {
    segments: [HEAD, '3\r\nabc\r\n3\r\nde', ''],
    ends: true,
    throwers: ['response', 'data'],
    expected: [
      'response 200', 'thrown in response', 'data abc', 'thrown in data', 'data de', 'thrown in data', 'close',
      'error ECONNRESET', '0 in use',
    ],
  },
  'does not hide an error behind it': {
    segments: [HEAD, '3\r\nabc\r\nno size\r\n'],
    throwers: ['data'],
    expected: [
      'response 200', 'data abc', 'thrown in data', 'error HPE_INVALID_CHUNK_SIZE', 'close', 'error ECONNRESET',
      '0 in use',
    ],
  },
  'before an upgrade takes none of the bytes behind it': {
    segments: ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n' +
      'Upgrade: x\r\n\r\nof the other protocol'],
    headers: { Connection: 'Upgrade', Upgrade: 'x' },
    throwers: ['continue', 'information'],
    expected: [
      'continue', 'thrown in continue', 'information 100', 'thrown in information', 'upgrade of the other protocol',
      'close', '0 in use',
    ],
  },
  'leaves a request that is called off then cut': {
    segments: [HEAD, '3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n'],
    throwers: ['data'],
    extra: `
      process.on('uncaughtException', () => req.destroy());
      req.on('close', () => log.push('complete ' + req.res.complete));`,
    expected: [
      'response 200', 'data abc', 'thrown in data', 'close', 'complete false', 'error ECONNRESET', '0 in use',
    ],
  },
  "of 'close' does not keep the connection from its next request": {
    segments: ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    throwers: ['close'],
    expected: ['response 200', 'data ok', 'end true', 'close', 'thrown in close', '0 in use'],
  },
  "of 'error' does not keep the socket from being closed": {
    segments: [''],
    ends: true,
    throwers: ['error'],
    expected: ['error ECONNRESET', 'thrown in error', 'close', '0 in use'],
  },
  // The last: this module stays in the process.
  'reaches its domain, and the other events still come': {
    segments: [`${HEAD}3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n`],
    extra: `
      const domain = require('node:domain').create();
      domain.on('error', ({ message }) => log.push(message + ' for the domain'));
      domain.add(req);
      req.on('response', (res) => {
        domain.add(res);
        res.once('data', () => { throw new Error('thrown'); });
      });
      req.on('response', () => { throw new Error('thrown first'); });`,
    expected: [
      'response 200', 'thrown first for the domain', 'data abc', 'thrown for the domain', 'data def', 'end true',
      'close', '0 in use',
    ],
  },
};

describeTransports('an exception in a listener', (transport) => {
  /** One process for all tests tells what was seen, by name; the first test that wants it starts the process. */
  let result;
  const followed = () => (result ??= transport.runScript(`async (http, all, support) => {
    const follow = ${follow};
    const seen = {};
    for (const [name, options] of Object.entries(all)) seen[name] = await follow(http, options, support);
    console.log(JSON.stringify(seen));
    process.exit();
  }`, { args: FOLLOWED }));

  itMends(true).each(Object.keys(FOLLOWED))('%s', async (name) => {
    const { stdout, ...rest } = await followed();
    expect(rest).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)[name]).toEqual(FOLLOWED[name].expected);
  });
});

describe('an exception in a listener', () => {
  it('of one request does not reach the others that are answered at the same time', async () => {
    const result = await runScript((http) => {
      let thrown = 0;
      let ended = 0;
      process.on('uncaughtException', (error) => {
        if (error.message !== 'from data') throw error;
        thrown++;
      });
      const server = http.createServer((req, res) => res.end('x'.repeat(5000))).listen(0, '127.0.0.1', () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
        const total = 200;
        const get = (i) => http.get({ port: server.address().port, host: '127.0.0.1', agent }, (res) => {
          let bytes = 0;
          res.on('data', (chunk) => {
            bytes += chunk.length;
            if (i % 4 === 0) throw new Error('from data');
          });
          res.on('end', () => {
            if (bytes !== 5000) console.log(`${i}: ${bytes} bytes`);
            if (++ended < total) return;
            console.log(`${ended} ended, ${thrown >= total / 4}`);
            agent.destroy();
            server.close();
          });
        });
        for (let i = 0; i < total; i++) get(i);
      });
    });
    expect(result).toMatchObject({ code: 0, stdout: '200 ended, true\n', stderr: '' });
  });

  it('without a handler ends the process with its stack, and code 1', async () => {
    const result = await runScript((http) => {
      const server = http.createServer((req, res) => res.end()).listen(0, '127.0.0.1', () => {
        http.get({ port: server.address().port, host: '127.0.0.1' }, function inResponse() {
          throw new TypeError('nobody catches this');
        });
      });
    });
    expect(result).toMatchObject({ code: 1, signal: null, timedOut: false });
    expect(result.stderr).toMatch(/TypeError: nobody catches this\n\s+at ClientRequest\.inResponse/);
  });

  it("an 'error' without a listener is an uncaught exception", async () => {
    const result = await runScript((http) => {
      process.on('uncaughtException', (error) => {
        console.log(error.code, error.syscall);
        process.exit(3);
      });
      http.get({ socketPath: '/nonexistent/socket' });
    });
    expect(result).toMatchObject({ code: 3, stdout: 'ENOENT connect\n', stderr: '' });
  });
});
