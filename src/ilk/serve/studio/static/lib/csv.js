/** Tables that spreadsheets open: a cell that they would take for a formula begins with ', as OWASP advises. Numbers stay numbers. */

const CELL = /(^|,|\r?\n)("(?:[^"]|"")*"|[^",\r\n]*)/g;
const FORMULA = /^"?[=+\-@\t\r]/, NUMBER = /^"?[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"?$/i;

/** A text of comma separated values with such cells defused. */
export function defused(text) {
  return text.replace(CELL, (whole, before, cell) => (FORMULA.test(cell) && !NUMBER.test(cell) ? `${before}${cell.replace(/^"?/, "$&'")}` : whole));
}
