'use strict';

/** Table of the handles that the I/O thread has a connection for. */
class HandleTable {
  constructor() {
    /**
     * Handles by connection id; undefined where the id is free.
     * @type {(import('../socket/native-handle').NativeHandle|undefined)[]}
     */
    this.handles = [];
    this.freeIds = [];
    /** Number of handles. */
    this.size = 0;
  }

  /**
   * Gives a handle a connection id.
   * @param {import('../socket/native-handle').NativeHandle} handle
   * @returns {number}
   */
  add(handle) {
    this.size++;
    const id = this.freeIds.length > 0 ? this.freeIds.pop() : this.handles.length;
    this.handles[id] = handle;
    return id;
  }

  /**
   * @param {number} id
   * @returns {import('../socket/native-handle').NativeHandle|undefined}
   */
  get(id) {
    return this.handles[id];
  }

  /**
   * Forgets a handle; its id may be used again.
   * @param {number} id
   */
  remove(id) {
    this.size--;
    this.handles[id] = undefined;
    this.freeIds.push(id);
  }

  /**
   * Forgets all handles.
   * @returns {import('../socket/native-handle').NativeHandle[]} The forgotten ones.
   */
  removeAll() {
    this.size = 0;
    this.freeIds.length = 0;
    return this.handles.splice(0).filter((handle) => handle !== undefined);
  }
}

module.exports = { HandleTable };
