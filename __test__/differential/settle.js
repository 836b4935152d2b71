'use strict';

/**
 * A clock that counts what matters instead of milliseconds.
 *
 * A round has passed when the event loop has turned and the I/O thread has answered something that was asked of it
 * after everything before: whatever one of the clients had under way has then gone one step further. What does not
 * change for a few rounds has come to rest, on a busy machine as on an idle one.
 */

const net = require('node:net');

const ANSWER = 'HTTP/1.1 204 No Content\r\n\r\n';

/** Rounds without anything new after which an exchange rests. No step of a client is longer than one. */
const ROUNDS_OF_REST = 3;
/** Rounds after which a condition is given up. */
const ROUNDS_OF_PATIENCE = 3000;

class Clock {
  /** @param {typeof import('../..')} ferrequest */
  constructor(ferrequest) {
    this.ferrequest = ferrequest;
    // A new connection each time: only the I/O thread makes those, while it lends others to JavaScript.
    this.agent = new ferrequest.Agent({ maxSockets: 1 });
    this.server = net.createServer((socket) => {
      socket.on('data', () => socket.write(ANSWER));
      socket.on('error', () => {});
    });
    /** Those who wait for the next round, and for the one after it. */
    this.waiting = [];
    this.running = false;
  }

  async start() {
    await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve); });
  }

  async stop() {
    this.agent.destroy();
    await new Promise((resolve) => { this.server.close(resolve); });
  }

  /** @returns {Promise<void>} resolved when a whole round has passed */
  round() {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (!this.running) {
        this.running = true;
        setImmediate(() => this.run());
      }
    });
  }

  run() {
    const served = this.waiting;
    this.waiting = [];
    if (served.length === 0) {
      this.running = false;
      return;
    }
    const { port } = this.server.address();
    const req = this.ferrequest.get({ host: '127.0.0.1', port, agent: this.agent }, (res) => {
      res.resume();
      res.on('close', () => {
        for (const resolve of served) resolve();
        setImmediate(() => this.run());
      });
    });
    req.on('error', (error) => { throw error; });
  }

  /**
   * Waits until a condition holds.
   * @param {() => boolean} condition
   * @returns {Promise<boolean>} whether it did, within reason
   */
  async until(condition) {
    for (let i = 0; i < ROUNDS_OF_PATIENCE; i++) {
      if (condition()) return true;
      await this.round();
    }
    return false;
  }

  /**
   * Waits until nothing more happens.
   * @param {() => number} progress anything that changes when something happens
   */
  async rest(progress) {
    let last = progress();
    for (let still = 0; still < ROUNDS_OF_REST;) {
      await this.round();
      const now = progress();
      still = now === last ? still + 1 : 0;
      last = now;
    }
  }
}

module.exports = { Clock };
