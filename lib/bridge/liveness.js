'use strict';

/** Liveness of the process: handles that are connecting or open keep its event loop running. */

const { setImmediate } = require('../node/timing');

class Liveness {
  /** @param {() => void} onLetGo Called when no handle keeps the process alive any more. */
  constructor(onLetGo) {
    this.onLetGo = onLetGo;
    /** Number of handles that keep the process alive. */
    this.holders = 0;
    /** @type {InstanceType<import('../../binding').Bridge>|null} The addon's half that holds the event loop. */
    this.holding = null;
    /** An immediate that lets the process end is due. */
    this.isLetGoDue = false;
  }

  /**
   * Notes that a handle keeps the process alive from now on, or no longer.
   * @param {InstanceType<import('../../binding').Bridge>} native The addon's half, which holds the loop.
   * @param {number} change 1 or -1.
   */
  hold(native, change) {
    this.holders += change;
    if (this.holders > 0 && this.holding === null) {
      this.holding = native;
      native.hold(true);
    } else if (this.holders === 0 && !this.isLetGoDue) {
      // Not at once: the next request mostly follows in the same turn, and each change is a call into the addon.
      this.isLetGoDue = true;
      setImmediate(letGo, this);
    }
  }

  /** Lets the process end, unless a handle keeps it alive again. */
  letGo() {
    this.isLetGoDue = false;
    if (this.holders > 0 || this.holding === null) return;
    this.stopHolding();
    this.onLetGo();
  }

  /** Lets the event loop end at once, also when the I/O thread is lost. */
  stopHolding() {
    const native = this.holding;
    if (native === null) return;
    this.holding = null;
    native.hold(false);
  }
}

/** @param {Liveness} liveness */
function letGo(liveness) {
  liveness.letGo();
}

module.exports = { Liveness };
