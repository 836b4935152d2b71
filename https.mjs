/** The ES-module face of https.js: every export of node:https, by name and as the default. */
import https from './https.js';

export default https;
export const { Agent, Server, createServer, get, globalAgent, request } = https;
