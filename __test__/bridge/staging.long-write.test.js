'use strict';

/**
 * A long body goes around the staging buffer. The I/O thread gets it together with the header that is staged: a peer
 * that answers the header alone, and closes, makes the write of the body fail.
 */

const { STAGED_WRITE_LIMIT, Staging } = require('../../lib/bridge/staging');
const { HEADER_SIZE, command } = require('../../lib/bridge/records');

/** Makes a staging buffer whose addon notes what it is called with. */
function stagingWithLog() {
  const log = [];
  const staging = new Staging();
  staging.native = {
    doorbell: (buffer, length) => log.push(['doorbell', length]),
    write: (id, data, acknowledge, buffer, length) => log.push(['write', id, data.length, length && buffer[0], length]),
    ring: () => log.push(['ring']),
  };
  return { log, staging };
}

const long = new Uint8Array(STAGED_WRITE_LIMIT + 1);

describe('a long write', () => {
  it('is handed over in one call with what is staged before it, and rings at the end of the tick', async () => {
    const { log, staging } = stagingWithLog();
    staging.sendWrite(3, 'head', 'latin1', false);
    staging.sendWrite(3, long, undefined, false);
    const together = ['write', 3, long.length, command.WRITE, HEADER_SIZE + 4];
    expect(log).toEqual([together]);
    await new Promise((resolve) => { setImmediate(resolve); });
    expect(log).toEqual([together, ['ring']]);
  });

  it('leaves what is staged behind it to the doorbell', async () => {
    const { log, staging } = stagingWithLog();
    staging.sendWrite(3, long, undefined, false);
    staging.sendWrite(3, 'tail', 'latin1', false);
    await new Promise((resolve) => { setImmediate(resolve); });
    expect(log).toEqual([['write', 3, long.length, 0, 0], ['doorbell', HEADER_SIZE + 4], ['ring']]);
  });
});
