'use strict';

/** Users, logs and stacks see the classes that they see with node:http. */

const nodeHttp = require('node:http');
const net = require('node:net');
const tls = require('node:tls');
const util = require('node:util');
const { bytesOf, describeOurs, http, responseTo } = require('../support');
const { describeTransports } = require('../support/transports');

/** The receiver that the first line of a stack names. */
const receiverOf = ({ stack }) => /at (\w+)\./.exec(stack.split('\n')[1])[1];

describeTransports('the class that is seen', (transport) => {
  it('of a response, a socket and a request is that of Node', async () => {
    const peer = await transport.serveAnswer('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody');
    const req = http.get({ ...peer.address, agent: await transport.agentTo(peer) });
    const res = await responseTo(req);
    const { socket } = res;
    const stacks = {};
    socket.once('timeout', function onTimeout() { stacks.socket = new Error().stack; });
    socket.emit('timeout');
    res.once('data', function onData() { stacks.res = new Error().stack; });
    await bytesOf(res);

    const socketClass = transport.isTls ? tls.TLSSocket : net.Socket;
    expect(res.constructor).toBe(nodeHttp.IncomingMessage);
    expect(socket.constructor).toBe(socketClass);
    expect(req.constructor.name).toBe('ClientRequest');
    expect([res, socket, req].map((value) => util.inspect(value, { depth: -1 }))).toEqual(
      ['[IncomingMessage]', `[${socketClass.name}]`, '[ClientRequest]']);
    expect(util.inspect(res, { depth: 0 })).toMatch(/^IncomingMessage \{/);
    expect(util.inspect(socket, { depth: 0 })).toMatch(new RegExp(`^(<ref \\*1> )?${socketClass.name} \\{`));
    expect(receiverOf({ stack: stacks.res })).toBe('IncomingMessage');
    expect(receiverOf({ stack: stacks.socket })).toBe(socketClass.name);
    expect([res, socket, req].filter((value) => Object.keys(value).includes('constructor'))).toEqual([]);
  });
});

describeOurs('the exported class of responses', () => {
  it('has its own name, and knows its instances', async () => {
    expect(http.ClientResponse.name).toBe('ClientResponse');
    expect(Object.create(http.ClientResponse.prototype)).toBeInstanceOf(nodeHttp.IncomingMessage);
  });
});
