'use strict';

/**
 * Workers and processes come to a sudden end at a random moment, with requests in every phase, native, over streams and
 * over TLS. `npm run soak -- lifetimes` does the same a thousand times.
 */

const { describeOurs } = require('../support');
const { endClusterWorkers } = require('../../soak/lifetimes/clusters');
const {
  endProcesses, exhaustProcesses, exhaustWorkers, resetModule, runManyWorkers, terminateWorkers,
} = require('../../soak/lifetimes/lifetimes');

/** Milliseconds that a test may take, well above what it does on a busy machine. */
const TIMEOUT = 110_000;

describeOurs('a sudden end with requests in every phase', () => {
  it('of workers leaves no thread, no descriptor and no connection', async () => {
    expect(await terminateWorkers({ count: 8, seed: 1 })).toEqual({ ends: 8, faults: [] });
  }, TIMEOUT);

  it('of processes that call process.exit() is as orderly as any', async () => {
    expect(await endProcesses({ count: 6, seed: 2 })).toEqual({ ends: 6, faults: [] });
  }, TIMEOUT);

  it('of processes that get a signal is by that signal', async () => {
    expect(await endProcesses({ count: 4, seed: 3, signal: 'SIGTERM' })).toEqual({ ends: 4, faults: [] });
  }, TIMEOUT);

  it('of workers of a cluster is by what has ended them', async () => {
    expect(await endClusterWorkers({ count: 12, seed: 5 })).toEqual({ ends: 12, faults: [] });
  }, TIMEOUT);

  it('of workers that fill their heap leaves the process as it was', async () => {
    expect(await exhaustWorkers({ count: 3 })).toEqual({ ends: 3, faults: [] });
  }, TIMEOUT);

  it('of processes that fill their heap is the one that V8 makes', async () => {
    expect(await exhaustProcesses({ count: 3 })).toEqual({ ends: 3, faults: [] });
  }, TIMEOUT);

  it('is the same with frozen intrinsics', async () => {
    const execArgv = ['--frozen-intrinsics', '--no-warnings'];
    expect(await endProcesses({ count: 3, seed: 4, execArgv })).toEqual({ ends: 3, faults: [] });
  }, TIMEOUT);
});

describeOurs('a process that has not loaded the module', () => {
  it('can run many workers at the same time that do', async () => {
    expect(await runManyWorkers({ count: 8 })).toEqual({ ends: 8, faults: [] });
  }, TIMEOUT);
});

describeOurs('the module', () => {
  it('can be loaded anew again and again, with requests under way, and leaves nothing open', async () => {
    expect(await resetModule({ count: 12 })).toEqual({ ends: 12, faults: [] });
  }, TIMEOUT);
});
