'use strict';

/**
 * Gives a prototype members whose module is loaded when one of them is first used. The module's own take their places
 * then, so that they cost nothing more. One that a library has replaced by then stays as it is.
 */
class LateMembers {
  /**
   * @param {object} prototype
   * @param {object} names
   * @param {Record<string, number>} names.methods Their numbers of parameters.
   * @param {Record<string, boolean>} names.accessors True for those that are enumerable.
   * @param {() => object} load Loads the module, and gives an object with all members.
   */
  constructor(prototype, { methods, accessors }, load) {
    this.prototype = prototype;
    this.load = load;
    /** The members of the module; null until it is loaded. @type {PropertyDescriptorMap|null} */
    this.members = null;
    /** What stands for them until then. @type {PropertyDescriptorMap} */
    this.substitutes = {};
    for (const name of Object.keys(methods)) this.substitutes[name] = this.substituteOf(name, methods[name]);
    for (const name of Object.keys(accessors)) this.substitutes[name] = this.accessorFor(name, accessors[name]);
    Object.defineProperties(prototype, this.substitutes);
  }

  /** Makes a method that calls the module's own, also where a library has kept it. */
  substituteOf(name, length) {
    const all = this;
    const { [name]: value } = {
      [name](...arguments_) {
        return all.loaded()[name].value.apply(this, arguments_);
      },
    };
    Object.defineProperty(value, 'length', { value: length, configurable: true });
    return { value, configurable: true, enumerable: true, writable: true };
  }

  /** Makes an accessor that calls the module's own. */
  accessorFor(name, enumerable) {
    const all = this;
    return {
      get() {
        return all.loaded()[name].get?.call(this);
      },
      set(value) {
        all.loaded()[name].set?.call(this, value);
      },
      configurable: true,
      enumerable,
    };
  }

  /** @returns {PropertyDescriptorMap} The members of the module. */
  loaded() {
    if (this.members === null) {
      this.members = Object.getOwnPropertyDescriptors(this.load());
      for (const name of Object.keys(this.members)) this.put(name, this.members[name]);
    }
    return this.members;
  }

  /** Puts a member of the module in its place. */
  put(name, descriptor) {
    const current = Object.getOwnPropertyDescriptor(this.prototype, name);
    const { [name]: substitute } = this.substitutes;
    // One that only some releases of Node need has no substitute.
    const isOurs = substitute === undefined ? current === undefined :
      current?.value === substitute.value && current?.get === substitute.get;
    // A prototype that is frozen keeps the substitutes.
    if (isOurs) Reflect.defineProperty(this.prototype, name, descriptor);
  }
}

module.exports = { LateMembers };
