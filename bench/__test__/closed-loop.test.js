'use strict';

/* global describe, it, expect */

const { ClosedLoop } = require('../lib/closed-loop');

/** A client whose requests are answered when the test says so. */
class ManualClient {
  constructor() {
    this.waiting = [];
    this.sent = 0;
    this.send = (done) => {
      this.sent++;
      this.waiting.push(done);
    };
  }

  answer(error) {
    this.waiting.shift()(error);
  }
}

describe('ClosedLoop', () => {
  it('keeps as many requests in progress as it has lanes', () => {
    const client = new ManualClient();
    const loop = new ClosedLoop(client.send, 3);
    expect(client.waiting).toHaveLength(3);
    client.answer();
    client.answer();
    expect(client.waiting).toHaveLength(3);
    expect(loop.completed).toBe(2);
    expect(loop.latencies.count).toBe(2);
  });

  it('waits for a number of answers', async () => {
    const client = new ManualClient();
    const loop = new ClosedLoop(client.send, 1);
    client.answer();
    const reached = loop.afterAnswers(2);
    client.answer();
    client.answer();
    await reached;
    expect(loop.completed).toBe(3);
  });

  it('sends nothing more once it drains, and is drained when the last answer has come', async () => {
    const client = new ManualClient();
    const loop = new ClosedLoop(client.send, 2);
    const drained = loop.drain();
    client.answer();
    client.answer();
    await drained;
    expect(client.sent).toBe(2);
  });

  it('fails as a whole with the first request that fails', async () => {
    const client = new ManualClient();
    const loop = new ClosedLoop(client.send, 2);
    const reached = loop.afterAnswers(10);
    client.answer(new Error('refused'));
    await expect(reached).rejects.toThrow('refused');
    await expect(loop.drain()).rejects.toThrow('refused');
    expect(client.sent).toBe(2);
  });
});
