import http, { type ClientResponse, get, stats } from 'ferrequest';
import https from 'ferrequest/https';
import { register, unregister } from 'ferrequest/register';

get('http://localhost/', (response: ClientResponse) => response.resume());
https.get('https://localhost/', { agent: new https.Agent({ keepAlive: true }) });
export const requests: number = stats().requests;
export const sockets: number = new http.Agent({ maxSockets: 5 }).maxSockets;
register();
unregister();
