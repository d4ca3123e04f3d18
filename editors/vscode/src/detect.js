"use strict";

// Which texts are specs: those that say `archspec:` at the beginning of a line, as the server has it.
const KEY = /^\uFEFF?(?:\{\s*)?(["']?)archspec\1\s*:/m;

/** @param {string} text */
function isSpec(text) {
  return KEY.test(text);
}

/**
 * Whether a change may have made a spec of a text that was none, so that the whole of it is worth a look.
 *
 * @param {string} written what was put in
 * @param {string} line the line that the change begins in, as it is now
 */
function mayMakeSpec(written, line) {
  return line.includes("archspec") || written.includes("archspec");
}

module.exports = { isSpec, mayMakeSpec };
