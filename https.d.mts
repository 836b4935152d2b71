import * as https from './https.js';

export default https;
export * from './https.js';
