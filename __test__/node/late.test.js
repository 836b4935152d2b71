'use strict';

/** Modules that are loaded when they are first needed, and in the bundle no sooner. */

const { describeOurs } = require('../support');

/** Loads lib/node/late.js, as outside of the bundle or as in it. */
function loadLate(isBundled) {
  jest.resetModules();
  jest.doMock('../../lib/node/is-bundled', () => isBundled);
  return require('../../lib/node/late');
}

afterEach(() => jest.dontMock('../../lib/node/is-bundled'));

describe('late()', () => {
  it('loads a module once, when it is first needed', () => {
    const { late } = loadLate(true);
    const load = jest.fn(() => ({ name: 'module' }));
    const get = late(load);
    expect(load).not.toHaveBeenCalled();
    expect(get()).toBe(get());
    expect(load).toHaveBeenCalledTimes(1);
  });

  it.each([['has loaded all outside of the bundle', false, 2], ['loads nothing in it', true, 0]])(
    '%s, when the module that asked has been loaded', (_what, isBundled, times) => {
      const { late, loadUnlessBundled } = loadLate(isBundled);
      const load = jest.fn(() => ({}));
      const gets = [late(load), late(load)];
      loadUnlessBundled();
      loadUnlessBundled();
      expect(load).toHaveBeenCalledTimes(times);
      for (const get of gets) get();
      expect(load).toHaveBeenCalledTimes(2);
    });
});

describeOurs('outside of the bundle', () => {
  it('a copy keeps to its own modules, although its first request comes after others are loaded', () => {
    jest.resetModules();
    const first = require('../..');
    const { members } = require('../../lib/request/members');
    jest.resetModules();
    const second = require('../..');
    expect(first.ClientRequest.prototype.end).toBe(members.end);
    expect(second.ClientRequest.prototype.end).not.toBe(members.end);
  });
});
