'use strict';

/** Which handles keep the process alive: how many, and whether the event loop knows. */

const { setImmediate } = require('node:timers');

/** Open handles that are to keep the process alive. */
let holders = 0;
let holding = false;
let letGoDue = false;
/** Whose hold it is: another one's after the I/O thread was lost. */
let bridge = null;

/**
 * Notes that a handle keeps the process alive from now on, or no longer.
 * @param {InstanceType<import('../../binding').Bridge>} native
 * @param {number} change 1 or -1.
 * @param {() => void} onRest Called when none does any more.
 */
function hold(native, change, onRest) {
  holders += change;
  if (holders > 0 && !holding) {
    holding = true;
    bridge = native;
    bridge.hold(true);
  } else if (holders === 0 && !letGoDue) {
    // Not at once: the next request mostly follows in the same turn, and each change is a call into the addon. Not by
    // a timer: if a test has replaced those when this is loaded, the process would never end.
    letGoDue = true;
    setImmediate(letGo, onRest);
  }
}

/** Lets the process end, unless a handle wants it again. */
function letGo(onRest) {
  letGoDue = false;
  if (holders > 0 || !holding) return;
  stopHolding();
  onRest();
}

/** At once, also because the I/O thread is lost. */
function stopHolding() {
  if (!holding) return;
  holding = false;
  bridge.hold(false);
}

module.exports = { hold, stopHolding };
