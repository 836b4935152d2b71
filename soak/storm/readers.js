'use strict';

/** Ways of a user to read a response to its end, or to call it off. */

const { pipeline, Writable } = require('node:stream');
const { setTimeout: sleep, setImmediate: turn } = require('node:timers/promises');

/** Message of the error of a user who calls a response off. */
const ENOUGH = 'the user has enough';

/** Reads with an async iterator; `onChunk` ends the loop by answering true. */
async function iterate(res, take, onChunk) {
  try {
    for await (const chunk of res) {
      take(chunk);
      if (await onChunk(chunk)) break;
    }
  } catch {
    // The response has told its error, and a loop that throws has been noted.
  }
}

/**
 * @typedef {object} Context
 * @property {(chunk: Buffer) => void} take notes a chunk
 * @property {() => void} act notes that the user calls the request or the response off
 * @property {() => () => void} hold gives a function to call when the reading is over
 * @property {import('node:http').ClientRequest} req
 * @property {number} delay milliseconds
 */

/** @type {Record<string, (res: import('node:http').IncomingMessage, context: Context) => void>} */
const READERS = {
  flow: (res, { take }) => res.on('data', take),
  dump: (res) => res.resume(),
  iterate: (res, { take }) => iterate(res, take, () => turn()),
  readable(res, { take, delay }) {
    res.on('readable', () => {
      for (let chunk; (chunk = res.read(Math.min(res.readableLength, 1 + delay * 100)) ?? res.read()) !== null;) {
        take(chunk);
      }
    });
  },
  pause(res, { take, delay }) {
    let count = 0;
    res.on('data', (chunk) => {
      take(chunk);
      if (count++ > 5) return;
      res.pause();
      sleep(delay % 8).then(() => res.resume());
    });
  },
  'slow pipe'(res, { take, hold }) {
    let count = 0;
    const release = hold();
    const sink = new Writable({
      highWaterMark: 1000,
      write(chunk, _encoding, callback) {
        take(chunk);
        if (count++ < 6) setTimeout(callback, 1);
        else setImmediate(callback);
      },
    });
    pipeline(res, sink, release);
  },
  'destroy on response'(res, { act, req }) {
    act();
    req.destroy();
  },
  'destroy with an error'(res, { act, req }) {
    act();
    req.destroy(new Error(ENOUGH));
  },
  'destroy in the body'(res, { take, act, req }) {
    res.on('data', (chunk) => {
      take(chunk);
      act();
      req.destroy();
    });
  },
  'destroy the response'(res, { take, act }) {
    res.on('data', take);
    turn().then(() => {
      act();
      res.destroy();
    });
  },
  'break the iterator'(res, { take, act }) {
    iterate(res, take, () => {
      act();
      return true;
    });
  },
  'throw in the iterator'(res, { take, act }) {
    iterate(res, take, () => {
      act();
      throw new Error(ENOUGH);
    });
  },
  'destroy beside a reader'(res, { act, req, delay }) {
    res.on('readable', () => {});
    sleep(delay % 8).then(() => {
      act();
      req.destroy();
    });
  },
};

module.exports = { READERS };
