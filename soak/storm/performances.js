'use strict';

/** What the server of a storm does with a request, for every fault of a plan. */

const { setTimeout: sleep } = require('node:timers/promises');

const { bodyOf, forgedBytes, headOf, refusedAnswer, sizeToRead } = require('./answers');

/** Milliseconds for which a silent server does not read. Every user has given up by then. */
const SILENCE = 200;

/** Sends a part of some bytes: never all of them. */
function sendPart(exchange, bytes) {
  const length = Math.min(bytes.length - 1, Math.floor(exchange.plan.at * bytes.length));
  return exchange.sendInSegments(bytes.subarray(0, length), exchange.plan.answer.segments);
}

/** Sends the head, and a part of the body. */
async function sendPartOfBody(exchange) {
  await exchange.send(headOf(exchange.plan));
  await sendPart(exchange, bodyOf(exchange.plan, exchange.pattern));
}

/** Closes as the plan says: by a FIN, or without a word of TLS before it. */
function end({ connection, plan }) {
  if (plan.answer.seed % 2 === 0) connection.fin();
  else connection.cut();
}

/**
 * A performance for every fault that a server of the storm has.
 * @type {Record<string, (exchange: import('./server-exchange').ServerExchange) => Promise<void>>}
 */
const PERFORMANCES = {
  async none(exchange) {
    if (exchange.expects) await exchange.send(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
    await exchange.uploaded();
    await exchange.sendAnswer();
  },
  async drip(exchange) {
    await exchange.uploaded();
    const answer = exchange.answer();
    for (const [index, byte] of answer.entries()) {
      exchange.isAnswering = index === answer.length - 1;
      await exchange.send(Buffer.from([byte]));
      await sleep(1);
    }
    exchange.onAnswered();
  },
  async 'early answer'(exchange) {
    await exchange.sendAnswer();
  },
  async 'early answer and FIN'(exchange) {
    exchange.isAnswering = true;
    await exchange.send(exchange.answer());
    exchange.connection.fin();
  },
  async 'early answer and reset'(exchange) {
    exchange.isAnswering = true;
    await exchange.send(exchange.answer());
    exchange.connection.reset();
  },
  async 'excess bytes'(exchange) {
    await exchange.uploaded();
    const excess = forgedBytes(exchange.plan.answer.seed);
    await exchange.connection.forge(excess, () => exchange.sendAnswer(excess));
  },
  async 'FIN before the answer'(exchange) {
    await exchange.uploaded();
    end(exchange);
  },
  async 'reset before the answer'(exchange) {
    await exchange.uploaded();
    exchange.connection.reset();
  },
  async 'FIN in the upload'(exchange) {
    await exchange.partlyUploaded();
    end(exchange);
  },
  async 'reset in the upload'(exchange) {
    await exchange.partlyUploaded();
    exchange.connection.reset();
  },
  async 'FIN in the head'(exchange) {
    await exchange.uploaded();
    await sendPart(exchange, headOf(exchange.plan));
    end(exchange);
  },
  async 'reset in the head'(exchange) {
    await exchange.uploaded();
    await sendPart(exchange, headOf(exchange.plan));
    exchange.connection.reset();
  },
  async 'FIN in the body'(exchange) {
    await exchange.uploaded();
    await sendPartOfBody(exchange);
    end(exchange);
  },
  async 'reset in the body'(exchange) {
    await exchange.uploaded();
    await sendPartOfBody(exchange);
    exchange.connection.reset();
  },
  async 'reset behind the answer'(exchange) {
    await exchange.uploaded();
    // A quick client sends the next request before the reset.
    await exchange.sendWholeAnswer();
    exchange.connection.reset();
  },
  async 'length too great'(exchange) {
    await exchange.uploaded();
    const { plan, pattern } = exchange;
    const head = headOf(plan, [`Content-Length: ${plan.answer.size + 1}`]);
    await exchange.sendInSegments(Buffer.concat([head, bodyOf(plan, pattern)]), plan.answer.segments);
    end(exchange);
  },
  async 'length too small'(exchange) {
    await exchange.uploaded();
    const { plan, pattern } = exchange;
    const head = headOf(plan, [`Content-Length: ${sizeToRead(plan)}`]);
    const body = bodyOf(plan, pattern);
    exchange.isAnswering = true;
    const excess = body.subarray(sizeToRead(plan));
    await exchange.connection.forge(excess, () => exchange.send(Buffer.concat([head, body])));
  },
  async 'silence before the answer'(exchange) {
    await exchange.uploaded();
  },
  async 'silence in the upload'(exchange) {
    await exchange.partlyUploaded();
    const { socket } = exchange.connection;
    socket.pause();
    // Without reading, the server would never learn that the client has gone.
    setTimeout(() => socket.resume(), SILENCE);
  },
  async 'silence in the head'(exchange) {
    await exchange.uploaded();
    await sendPart(exchange, headOf(exchange.plan));
  },
  async 'silence in the body'(exchange) {
    await exchange.uploaded();
    await sendPartOfBody(exchange);
  },
};

for (const fault of ['garbage for a status line', 'garbage for a field', 'garbage for a length',
  'garbage for a chunk size', 'conflicting lengths', 'overlong header']) {
  PERFORMANCES[fault] = async (exchange) => {
    await exchange.uploaded();
    await exchange.send(refusedAnswer(exchange.plan, exchange.pattern));
  };
}
PERFORMANCES['interim flood'] = PERFORMANCES.none;

module.exports = { PERFORMANCES };
