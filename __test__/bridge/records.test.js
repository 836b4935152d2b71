'use strict';

/** The record layout is declared once in Rust and once in JavaScript; the addon tells what it was built with. */

const { StreamDecoder, recordLayout } = require('../../lib/bridge/bridge');
const { LLHTTP } = require('../../lib/response/decoder-settings');
const records = require('../../lib/bridge/records');

/** Both tables as `command.NAME` and `event.NAME`. */
function javaScriptLayout() {
  return ['command', 'event'].flatMap((table) => {
    return Object.entries(records[table]).map(([name, value]) => [`${table}.${name}`, value]);
  });
}

/** Names that are opcodes; the others are flags, which may share numbers. */
function opcodesOf(table, last) {
  const entries = Object.entries(table);
  return entries.slice(0, entries.findIndex(([name]) => name === last) + 1);
}

describe('the record layout', () => {
  it('has the same names and numbers in JavaScript and in the addon', () => {
    expect(Object.fromEntries(javaScriptLayout())).toEqual(Object.fromEntries(recordLayout()));
  });

  it('is declared in the same order on both sides', () => {
    expect(javaScriptLayout().map(([name]) => name)).toEqual(recordLayout().map(([name]) => name));
  });

  it.each([
    ['command', 'PIN'],
    ['event', 'FAILED'],
  ])('has every opcode of %s once, from 1 on', (name, last) => {
    const opcodes = opcodesOf(records[name], last).map(([, value]) => value);
    expect(opcodes.length).toBeGreaterThan(10);
    expect(opcodes).toEqual(opcodes.map((_, i) => i + 1));
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(records.command) && Object.isFrozen(records.event)).toBe(true);
  });
});

describe('a record that the addon writes', () => {
  it('has a header of the declared size, a payload of the declared length, and padding to four bytes', () => {
    const decoder = new StreamDecoder();
    decoder.reset(0, 16384, LLHTTP);
    const out = Buffer.alloc(1024);
    const chunk = Buffer.from('HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 2\r\n\r\nhi');
    const length = decoder.execute(chunk, out);
    const seen = [];
    for (let at = 0; at < length;) {
      const word = out.readUInt32LE(at);
      const size = out.readUInt32LE(at + 8);
      const start = at + records.HEADER_SIZE;
      seen.push({ opcode: word & 0xff, flags: word >>> 8, payload: out.subarray(start, start + size) });
      const next = start + Math.ceil(size / 4) * 4;
      expect(out.subarray(start + size, next).every((byte) => byte === 0)).toBe(true);
      at = next;
    }
    const { event } = records;
    expect(seen.map(({ opcode }) => opcode)).toEqual([event.HEAD, event.DATA, event.END]);
    expect(seen[0].flags & event.KEEP_ALIVE).not.toBe(0);
    // Status, major and minor version, length of the reason phrase, the phrase, the fields.
    expect(seen[0].payload.readUInt16LE(0)).toBe(200);
    expect([...seen[0].payload.subarray(2, 4)]).toEqual([1, 1]);
    expect(seen[0].payload.readUInt32LE(4)).toBe(4);
    expect(seen[0].payload.latin1Slice(8)).toBe('FineA\nb\nContent-Length\n2\n');
    // Place and length of the body in the chunk.
    expect(seen[1].flags & event.REFERENCE).not.toBe(0);
    expect([seen[1].payload.readUInt32LE(0), seen[1].payload.readUInt32LE(4)]).toEqual([chunk.length - 2, 2]);
    expect(seen[2].payload.length).toBe(0);
  });
});
