'use strict';

/** The addon's decoder answers odd arguments with exceptions: nothing that JavaScript passes ends the process. */

const { describeOurs, ROOT, runScript } = require('../support');

/** Calls every method of the decoder with all pairs of odd arguments, and says which of them still decode. */
function callOddly(_http, file) {
  const { StreamDecoder } = require(file);
  const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const room = Buffer.alloc(4096);
  const detached = Buffer.from(new ArrayBuffer(8));
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const odd = [
    undefined, null, true, '', 'text', Symbol('x'), 10n, () => {}, {}, [], [1], new Date(), new Proxy(ANSWER, {}),
    Object.create(Uint8Array.prototype), Object.create(StreamDecoder.prototype), new StreamDecoder(),
    0, -0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, Number.MAX_VALUE,
    detached, Buffer.alloc(0), ANSWER, ANSWER.subarray(3, 9), room, new ArrayBuffer(8), new SharedArrayBuffer(8),
    new Uint8Array(new SharedArrayBuffer(8)), new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })),
    new Uint16Array(4), new Float64Array(4), new BigInt64Array(2), new DataView(new ArrayBuffer(8)),
  ];
  let thrown = 0;
  const attempt = (call) => {
    try {
      call();
    } catch {
      thrown++;
    }
  };
  let decoded = 0;
  for (const a of odd) {
    for (const b of odd) {
      const decoder = new StreamDecoder();
      attempt(() => decoder.begin(a, b, 0, 0, 0));
      attempt(() => decoder.begin(ANSWER, room, a, b, a));
      attempt(() => decoder.execute(a, b));
      attempt(() => decoder.finish(a));
      attempt(() => decoder.reset(a, b, b));
      attempt(() => decoder.take(a));
      attempt(() => StreamDecoder.prototype.execute.call(a, ANSWER, b));
      // The same one still does what it is for.
      if (decoder.begin(ANSWER, room, 0, 16384, 0) > 0 && decoder.take().length > 0) decoded++;
    }
  }
  console.log(JSON.stringify({ hasThrown: thrown > odd.length ** 2, lost: odd.length ** 2 - decoded }));
}

describeOurs('StreamDecoder', () => {
  it('throws at arguments that make no sense, and goes on with those that do', async () => {
    const result = await runScript(callOddly, { args: `${ROOT}/binding` });
    expect(result).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(JSON.parse(result.stdout)).toEqual({ hasThrown: true, lost: 0 });
  });

  it('decodes any bytes into a room of any size', async () => {
    const result = await runScript((_http, file) => {
      const { StreamDecoder } = require(file);
      const answer = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n');
      let seed = 1;
      const random = (below) => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return Math.floor(seed / 2 ** 32 * below);
      };
      const decoder = new StreamDecoder();
      for (let i = 0; i < 20_000; i++) {
        const chunk = Buffer.from(answer);
        for (let k = random(4); k > 0; k--) chunk[random(chunk.length)] = random(256);
        const room = Buffer.alloc(random(300));
        const length = decoder.begin(chunk, room, random(2 ** 32), random(2 ** 32), random(2 ** 32));
        if (Math.abs(length) > room.length !== length < 0) throw new Error(`${length} in ${room.length}`);
        if (length < 0 && decoder.take().length !== -length) throw new Error('take() gives something else');
        decoder.execute(chunk, room);
        decoder.finish(room);
      }
    }, { args: `${ROOT}/binding` });
    expect(result).toMatchObject({ code: 0, signal: null, stderr: '' });
  });
});
