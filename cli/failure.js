'use strict';

/** An error that the user gets as one line, without a stack: the request has failed, not the program. */
class Failure extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode] 1 for what has failed, 2 for what was asked wrongly
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Makes the error of a command line that cannot be meant. */
function usage(message) {
  return new Failure(message, 2);
}

module.exports = { Failure, usage };
