'use strict';

/** Pieces of bodies that a user keeps: their memory is nobody else's, however many responses come after. */

const { createHash } = require('node:crypto');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { http, newAgent, pseudoRandomBytes, responseTo, serve } = require('../support');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const BODY = pseudoRandomBytes(3_000_000);
const SIZES = [1, 100, 8_000, 20_000, 65_536, 200_000, 1_000_000, 3_000_000];

const digest = (bytes) => createHash('sha1').update(bytes).digest('hex');

/** A peer that answers `/<size>` with so many bytes of BODY, and a last one that is the number of the request. */
function numbered() {
  let number = 0;
  return serve((req, res) => {
    const size = Number(req.url.slice(1));
    res.setHeader('Content-Length', size + 1);
    res.write(BODY.subarray(0, size));
    res.end(Buffer.of(number++ & 0xff));
  });
}

/** Reads a response; gives its pieces. */
async function piecesOf(options) {
  const pieces = [];
  const res = await responseTo(http.get(options));
  for await (const piece of res) pieces.push(piece);
  return pieces;
}

describe('A piece of a body', () => {
  it('that is kept has the same content after many later responses and collections', async () => {
    const peer = await numbered();
    const agent = newAgent({ keepAlive: true, maxSockets: 4 });
    const kept = [];
    for (let round = 0; round < 12; round++) {
      const all = await Promise.all(SIZES.map((size) => piecesOf({ ...peer.address, agent, path: `/${size}` })));
      for (const pieces of all) {
        // One of them, and a part of another, as somebody who looks for something in a body may keep it.
        const one = pieces[round % pieces.length];
        const other = pieces[(round * 7) % pieces.length];
        const part = other.subarray(other.length >> 2, other.length >> 1);
        kept.push(...[one, part].map((bytes) => ({ bytes, was: digest(bytes) })));
      }
      collectGarbage();
    }
    const changed = kept.filter(({ bytes, was }) => digest(bytes) !== was);
    expect(changed).toHaveLength(0);
  });

  it('may be written by its owner, which changes no other piece', async () => {
    const peer = await numbered();
    const res = await responseTo(http.get({ ...peer.address, agent: newAgent(), path: '/3000000' }));
    const hash = createHash('sha1');
    let length = 0;
    for await (const piece of res) {
      hash.update(piece.subarray(0, Math.max(0, BODY.length - length)));
      length += piece.length;
      piece.fill(0xee);
    }
    expect(length).toBe(BODY.length + 1);
    expect(hash.digest('hex')).toBe(digest(BODY));
  });

  it('of some size has memory of its own, which its owner may transfer', async () => {
    const peer = await numbered();
    const res = await responseTo(http.get({ ...peer.address, agent: newAgent(), path: '/3000000' }));
    const hash = createHash('sha1');
    let length = 0;
    let transferred = 0;
    for await (const piece of res) {
      hash.update(piece.subarray(0, Math.max(0, BODY.length - length)));
      length += piece.length;
      if (piece.length >= 16384) {
        expect(piece.buffer.byteLength).toBe(piece.length);
        structuredClone(piece.buffer, { transfer: [piece.buffer] });
        transferred++;
      }
    }
    expect(transferred).toBeGreaterThan(0);
    expect(hash.digest('hex')).toBe(digest(BODY));
  });
});
