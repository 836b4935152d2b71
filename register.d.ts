/**
 * Loading this module calls {@link register}: `node --require ferrequest/register`, `node --import ferrequest/register`
 * or `require('ferrequest/register')`.
 */

/**
 * Replaces the client of node:http and node:https for the whole process, for `require` and `import` alike: `request`,
 * `get`, `ClientRequest`, `Agent` and `globalAgent` of the one, `request`, `get`, `Agent` and `globalAgent` of the
 * other. Servers are left alone. Does nothing if it has been done.
 */
export function register(): void;

/** Puts back what {@link register} replaced. Does nothing if nothing was. */
export function unregister(): void;
