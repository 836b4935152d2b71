/** Every way to import the package gives the same things. */
import * as http from 'node:http';
import ferrequest, { Agent, ClientResponse, METHODS, createServer, request, stats } from 'ferrequest';
import * as namespace from 'ferrequest';
import https, { Agent as HttpsAgent, request as httpsRequest } from 'ferrequest/https';
import { register, unregister } from 'ferrequest/register';
import 'ferrequest/register';

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

export const same: [
  Same<typeof ferrequest.request, typeof request>,
  Same<typeof ferrequest.Agent, typeof Agent>,
  Same<typeof namespace.stats, typeof stats>,
  Same<typeof namespace.ClientResponse, typeof ClientResponse>,
  Same<typeof createServer, typeof http.createServer>,
  Same<typeof METHODS, typeof http.METHODS>,
  Same<typeof https.Agent, typeof HttpsAgent>,
  Same<typeof https.request, typeof httpsRequest>,
  Same<typeof register, () => void>,
  Same<typeof unregister, () => void>,
] = [true, true, true, true, true, true, true, true, true, true];

export const dropIn: typeof http = ferrequest;
