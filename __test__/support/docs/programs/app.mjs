/** The user's program of a page, as a module. */

import './app.js';
