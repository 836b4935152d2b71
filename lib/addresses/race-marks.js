'use strict';

/** Names the properties in which a race is kept. Whoever asks for one need not load race.js. */

module.exports = {
  /** Own property of a request, and of the options of its connection: its race. */
  kRace: Symbol('race'),
  /** Own property of a socket: the race by which it connects, while it does. */
  kRacing: Symbol('racing'),
};
