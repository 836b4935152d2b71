/**
 * Loading this module calls {@link register}: `node --require ferrequest/register`, `node --import ferrequest/register`
 * or `require('ferrequest/register')`.
 */

/**
 * Replaces the client of node:http and node:https for the whole process or worker, for `require` and `import` alike.
 * Of node:http it replaces `request`, `get`, `ClientRequest`, `Agent`, `globalAgent` and, where Node has it,
 * `setGlobalProxyFromEnv`; of node:https `request`, `get`, `Agent` and `globalAgent`. Servers are left alone. Does
 * nothing if this copy is registered; takes the place of another copy that is.
 */
export function register(): void;

/** Puts back what {@link register} replaced. Does nothing if nothing was. */
export function unregister(): void;
