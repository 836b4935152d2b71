'use strict';

/** Members whose module is loaded when one of them is first used. */

const { LateMembers } = require('../../lib/node/late-members');

const NAMES = { methods: { add: 2, name: 0 }, accessors: { size: true, secret: false } };

/** Makes a class with late members, and counts how often they are loaded. */
function makeClass() {
  class Late {
    constructor() {
      this.first = 1;
    }
  }
  const members = {
    add(a, b) { return this.first + a + b; },
    name() { return 'late'; },
    get size() { return this.first; },
    set size(value) { this.first = value; },
    /** One that only some releases need. */
    extra() { return 'extra'; },
  };
  Object.defineProperty(members, 'secret', { get() { return `secret ${this.first}`; }, configurable: true });
  const load = jest.fn(() => members);
  const late = new LateMembers(Late.prototype, NAMES, load);
  return { Late, late, load, members };
}

describe('a class with late members', () => {
  it('loads nothing until one is used', () => {
    const { Late, load } = makeClass();
    expect(new Late().first).toBe(1);
    expect([Late.prototype.add.length, Late.prototype.add.name]).toEqual([2, 'add']);
    expect(Object.keys(Late.prototype)).toEqual(['add', 'name', 'size']);
    expect(load).not.toHaveBeenCalled();
  });

  it.each([
    ['a method', (late) => late.add(2, 3), 6],
    ['an accessor', (late) => late.size, 1],
    ['an accessor that is not listed', (late) => late.secret, 'secret 1'],
    ['an accessor that is set', (late) => { late.size = 5; return late.first; }, 5],
  ])('loads all of them once, with %s, and has them then as they are in the module', (_what, use, result) => {
    const { Late, load, members } = makeClass();
    const object = new Late();
    expect(use(object)).toBe(result);
    expect(use(object)).toBe(result);
    expect(load).toHaveBeenCalledTimes(1);
    const own = Object.getOwnPropertyDescriptors(Late.prototype);
    delete own.constructor;
    expect(own).toEqual(Object.getOwnPropertyDescriptors(members));
  });

  it('calls the module\'s own where a library has kept a member from before, with the object and the arguments', () => {
    const { Late } = makeClass();
    const { add } = Late.prototype;
    const object = new Late();
    object.name();
    expect(Late.prototype.add).not.toBe(add);
    object.first = 10;
    expect(add.call(object, 1, 2)).toBe(13);
  });

  it('leaves alone what a library has put in the place of a member', () => {
    const { Late } = makeClass();
    const { add } = Late.prototype;
    Late.prototype.add = function wrapped(...arguments_) { return -add.apply(this, arguments_); };
    Object.defineProperty(Late.prototype, 'size', { get: () => 'other', configurable: true });
    Late.prototype.extra = () => 'of the library';
    const object = new Late();
    expect([object.add(1, 1), object.size, object.name(), object.extra()])
      .toEqual([-3, 'other', 'late', 'of the library']);
  });

  it('works where the prototype is frozen', () => {
    const { Late, load } = makeClass();
    Object.freeze(Late.prototype);
    const object = new Late();
    expect([object.add(1, 1), object.size, object.add(2, 2)]).toEqual([3, 1, 5]);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('loads again after loading has failed', () => {
    const { Late, load } = makeClass();
    load.mockImplementationOnce(() => { throw new Error('no file'); });
    const object = new Late();
    expect(() => object.name()).toThrow('no file');
    expect(object.name()).toBe('late');
  });
});
