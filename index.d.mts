import * as http from './index.js';

export default http;
export * from './index.js';
