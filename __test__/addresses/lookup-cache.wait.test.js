'use strict';

/** How long look-ups wait for an equal one that is under way; the clock is the test's. */

const { cleanUp } = require('../support');

describe('a lookup that never calls back', () => {
  it('is asked again after ten seconds, and is still heard', () => {
    let time = 1000;
    let createLookupCache;
    const calls = [];
    jest.isolateModules(() => {
      const nextTick = (callback, ...values) => callback(...values);
      const timing = { ...jest.requireActual('../../lib/node/timing'), nextTick, now: () => time };
      jest.doMock('../../lib/node/timing', () => timing);
      cleanUp(() => jest.dontMock('../../lib/node/timing'));
      ({ createLookupCache } = require('../../lib/addresses/lookup-cache'));
    });
    const lookup = createLookupCache({ cache: true }).lookupOf((_name, _options, callback) => calls.push(callback));
    const answers = [];
    const ask = (number) => lookup('name.test', {}, (error, address) => answers.push([number, error, address]));

    ask(1);
    time += 9999;
    ask(2);
    expect(calls).toHaveLength(1);
    time++;
    ask(3);
    expect(calls).toHaveLength(2);
    calls[0](null, '127.0.0.1', 4);
    expect(answers).toEqual([[1, null, '127.0.0.1'], [2, null, '127.0.0.1']]);
    calls[1](null, '127.0.0.2', 4);
    expect(answers[2]).toEqual([3, null, '127.0.0.2']);
  });
});
