/**
 * Loading this module calls {@link register}: `node --require ferrequest/register`, `node --import ferrequest/register`
 * or `require('ferrequest/register')`.
 */

/**
 * Replaces the client of node:http and node:https for the whole process or worker, for `require` and `import` alike.
 * Of node:http it replaces `request`, `get`, `ClientRequest`, `Agent`, `globalAgent` and, where Node has it,
 * `setGlobalProxyFromEnv`; of node:https `request`, `get`, `Agent` and `globalAgent`. It leaves servers alone. It does
 * nothing if this copy of ferrequest is registered, and replaces another copy that is.
 */
export function register(): void;

/** Puts back the exports that {@link register} replaced. Does nothing if none was replaced. */
export function unregister(): void;
