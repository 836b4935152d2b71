'use strict';

/** The backlog of a paused response takes little memory, keeps its order, and holds up a peer that is faster. */

const { AsyncResource } = require('node:async_hooks');
const { http, describeNative, quiet, responseTo, turnOfEventLoop } = require('../support');
const { describeTransports } = require('../support/transports');
const { command, event } = require('../../lib/bridge/records');
const { ReadBacklog } = require('../../lib/socket/read-backlog');

/** A handle that notes what it is given, and what is said to the I/O thread. */
class Recorder {
  constructor() {
    this.resource = new AsyncResource('test');
    this.life = 0;
    this.given = [];
    this.flow = [];
  }

  takes() {
    return true;
  }

  sendFlow(opcode) {
    this.flow.push(opcode === command.PAUSE ? 'pause' : 'resume');
  }

  dispatch(opcode, flags, slab, words, start, end) {
    expect(slab.buffer === words.buffer || opcode === event.BODY).toBe(true);
    this.given.push([opcode, flags, slab.toString('latin1', start, end)]);
  }
}

function keep(backlog, opcode, bytes, flags = 0) {
  const slab = Buffer.from(`slab${bytes}behind`, 'latin1');
  if (opcode === event.BODY) backlog.keep(opcode, flags, Buffer.from(bytes), 0, bytes.length);
  else backlog.keep(opcode, flags, slab, 4, 4 + bytes.length);
  slab.fill(0);
}

describe('a backlog', () => {
  it('gives every record as it was, in order, one read a turn', async () => {
    const handle = new Recorder();
    const backlog = new ReadBacklog(handle);
    backlog.pause();
    const reads = [];
    for (let i = 0; i < 50; i++) {
      const read = [[event.READ, 0, `read ${i}`]];
      for (let j = 0; j <= i % 4; j++) read.push([event.DATA, 0, `${i}.`.repeat(j * 20)]);
      if (i % 7 === 3) read.push([event.BODY, 0, `body ${i}`]);
      if (i === 49) read.push([event.DATA, 0, 'd'.repeat(100_000)], [event.END, 0, 'end']);
      reads.push(read);
      for (const [opcode, flags, bytes] of read) keep(backlog, opcode, bytes, flags);
    }
    backlog.resume();
    expect(handle.given).toEqual([]);
    for (let i = 1; i <= reads.length; i++) {
      await turnOfEventLoop();
      expect(handle.given).toEqual(reads.slice(0, i).flat());
    }
    expect(backlog.size).toBe(0);
    expect(handle.flow).toEqual(['pause', 'resume']);
  });

  it('gives one read a turn also to a reader that pauses and goes on in between', async () => {
    const handle = new Recorder();
    const backlog = new ReadBacklog(handle);
    backlog.pause();
    for (let i = 0; i < 10; i++) keep(backlog, event.READ, String(i));
    for (let i = 0; i < 5; i++) {
      backlog.resume();
      backlog.pause();
    }
    backlog.resume();
    await turnOfEventLoop();
    expect(handle.given).toHaveLength(1);
    await turnOfEventLoop();
    expect(handle.given).toHaveLength(2);
  });

  it('has the I/O thread read on only when little waits, and stop when much does', async () => {
    const handle = new Recorder();
    const backlog = new ReadBacklog(handle);
    const read = (count) => {
      for (let i = 0; i < count; i++) {
        keep(backlog, event.READ, '');
        keep(backlog, event.DATA, 'd'.repeat(10_000));
      }
    };
    backlog.pause();
    read(20);
    backlog.resume();
    expect(handle.flow).toEqual(['pause']);
    while (handle.flow.length === 1) await turnOfEventLoop();
    expect(backlog.size).toBeGreaterThan(0);
    expect(backlog.size).toBeLessThan(70_000);
    // The I/O thread is faster than the reader.
    read(25);
    expect(handle.flow).toEqual(['pause', 'resume', 'pause']);
    while (backlog.size > 0) await turnOfEventLoop();
    expect(handle.flow).toEqual(['pause', 'resume', 'pause', 'resume']);
    expect(handle.given).toHaveLength(90);
  });

  it('keeps many small records in little memory', () => {
    const backlog = new ReadBacklog(new Recorder());
    backlog.pause();
    keep(backlog, event.READ, '');
    for (let i = 0; i < 100_000; i++) keep(backlog, event.DATA, 'd');
    const bytes = backlog.pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
    expect(bytes).toBeLessThan(100_000 * 16);
  });
});

describeNative('a response in chunks of one byte', () => {
  describeTransports('that pauses', (transport) => {
    it('comes whole, and in time, when its reader goes on', async () => {
      const count = 300_000;
      const peer = await transport.serveRaw((socket) => {
        socket.on('data', (bytes) => {
          if (!bytes.includes('/chunks')) return;
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
          socket.write(Buffer.from('1\r\nx\r\n'.repeat(count)));
          socket.write('0\r\n\r\n');
        });
      });
      const agent = await transport.agentTo(peer);
      const res = await responseTo(http.get({ ...peer.address, agent, path: '/chunks' }));
      await new Promise((resolve) => { res.once('readable', resolve); });
      // Until the I/O thread has heard of the pause, and all that it has read is here.
      for (let read = -1; read !== res.socket.bytesRead; await quiet()) read = res.socket.bytesRead;
      let length = 0;
      res.on('data', (chunk) => { length += chunk.length; });
      await new Promise((resolve) => { res.once('close', resolve); });
      expect([length, res.complete]).toEqual([count, true]);
      agent.destroy();
    });
  }, ({ isStream }) => !isStream);
});
