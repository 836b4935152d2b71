'use strict';

/** An exception in a listener reaches 'uncaughtException' with its own stack, and loses no other event. */

const { itMends, itOurs, runScript } = require('../support');
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
 * After these, a stream loses what else came in the chunk: StreamTransport.dispatch() is left by the exception in the
 * middle of its records, and forgets the others.
 */
const LOST_ON_STREAMS = new Set(['req continue', 'req information', 'req response', 'res data']);

/**
 * A write that has waited for a net.Socket of Node's to connect calls back before the socket begins to read, which the
 * exception keeps it from.
 */
const isOfNet = (transport, event) => transport.title === 'a stream' && event === 'req finish';

describeTransports('an exception in a listener', (transport) => {
  describe.each([...new Set(EVENTS)].filter((event) => !isOfNet(transport, event)))("of '%s'", (event) => {
    const isLost = transport.isStream && LOST_ON_STREAMS.has(event);
    const itLosesNothing = isLost ? itOurs.failing : itMends(LOST_IN_NODE.has(event));

    itLosesNothing('reaches uncaughtException, and the other events still come', async () => {
      const result = await transport.runScript(async (http, thrower, { serveRaw, agentTo }) => {
        const seen = [];
        process.on('uncaughtException', (error) => {
          if (!/at (\w+\.)?throwing/.test(error.stack)) throw error;
          seen.push(`thrown in ${error.message}`);
        });
        const watch = (emitter, label, names) => names.forEach((name) => {
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
        req.on('close', () => setTimeout(() => {
          console.log(seen.join('\n'));
          process.exit();
        }, 20));
        req.on('response', (res) => watch(res, 'res', ['data', 'end', 'close']));
        watch(req, 'req', ['socket', 'finish', 'continue', 'information', 'response', 'close']);
      }, { args: event, timeout: 4000 });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      // A Readable of Node closes itself after the listeners of 'end', if none throws.
      const events = event === 'res end' ? EVENTS.filter((name) => name !== 'res close') : EVENTS;
      expect(result.stdout.trim().split('\n')).toEqual(
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
    }, { args: thrower, timeout: 4000 });
    const sent = ['sent 0', 'sent 1', 'sent 2'];
    sent.splice(thrower + 1, 0, `thrown ${thrower}`);
    expect(result).toMatchObject({ code: 0, stdout: `${[...sent, 'abc', 'reused true'].join()}\n`, stderr: '' });
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
