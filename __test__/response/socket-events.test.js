'use strict';

/** Which events of a socket are its request's, and in which order the listeners of a used socket hear of them. */

const { http, itOurs, record, responseTo, until, untilNoConnections, untilPoolIsEmpty } = require('../support');
const { describeTransports } = require('../support/transports');

describeTransports('an error that a user gives to the socket of a request', (transport) => {
  /** Makes a request, and destroys its socket in that event of the request or its response. */
  async function failIn(event, listens) {
    const peer = await transport.serve((req, res) => res.end('body'));
    const agent = await transport.agentTo(peer);
    const req = http.get({ ...peer.address, agent });
    const recorder = record(req, { socket: true });
    req.on('error', () => {});
    const fail = () => req.socket.destroy(new Error('mine'));
    if (event === 'close') req.on('close', fail);
    const res = await responseTo(req);
    const { socket } = req;
    if (listens) socket.on('error', () => {});
    if (event === 'end') res.on('end', fail);
    res.resume();
    let hadError;
    socket.on('close', (had) => { hadError = had; });
    await until(() => hadError);
    await untilPoolIsEmpty(agent);
    await untilNoConnections(peer);
    return recorder.events.filter((entry) => /^(req (error|close)|socket (error|agentRemove|free))/.test(entry));
  }

  const EVENTS = [["'end' of its response", 'end'], ["its 'close'", 'close']];

  it.each(EVENTS)("in %s is not the request's", async (_, event) => {
    expect(await failIn(event, true)).toEqual(['req close', 'socket free', 'socket error mine']);
  });

  // With node:http it is an uncaught exception.
  itOurs.each(EVENTS)('in %s ends no process in which nobody listens', async (_, event) => {
    expect(await failIn(event, false)).toEqual(['req close', 'socket free', 'socket error mine']);
  });
});
