'use strict';

/** A failed write comes in one batch with the answer before it: libuv reports the two in turns of their own. */

const { Draining } = require('../../lib/bridge/draining');
const { HEADER_SIZE, event } = require('../../lib/bridge/records');

/** Makes a page of empty records of one connection. */
function pageOf(id, opcodes) {
  const page = Buffer.alloc(opcodes.length * HEADER_SIZE);
  opcodes.forEach((opcode, i) => {
    page.writeInt32LE(opcode, i * HEADER_SIZE);
    page.writeInt32LE(id, i * HEADER_SIZE + 4);
  });
  return page;
}

/** Drains one page as the addon does. Gives the records of each turn. */
function turnsOf(opcodes) {
  const turns = [];
  const handle = {
    lastTurn: -1,
    isCostly: false,
    resource: { runInAsyncScope: (call, self, ...rest) => call.apply(self, rest) },
    onRecord: (opcode) => turns.at(-1).push(opcode),
  };
  const staging = { beginDrain() {}, endDrain() {}, ringDoorbell() {} };
  const draining = new Draining(staging, new Map([[7, handle]]), () => {});
  let page = pageOf(7, opcodes);
  draining.start({
    now: () => 0,
    drain(slab) {
      const length = page.copy(slab);
      page = Buffer.alloc(0);
      return length;
    },
  }, null);
  do turns.push([]);
  while (draining.takeTurn(1));
  return turns;
}

describe('a batch with a failed write', () => {
  it('has ticks run between the answer and the failure', () => {
    const { END, EOF, HEAD, READ, WRITE_ERROR } = event;
    expect(turnsOf([READ, HEAD, END, WRITE_ERROR])).toEqual([[READ, HEAD, END], [WRITE_ERROR]]);
    expect(turnsOf([READ, HEAD, EOF, WRITE_ERROR])).toEqual([[READ, HEAD], [EOF], [WRITE_ERROR]]);
  });

  it('that has nothing else is one turn', () => {
    expect(turnsOf([event.WRITE_ERROR])).toEqual([[event.WRITE_ERROR]]);
  });
});
