/** Doing something once, a little after the last time it was asked for. */
export function later(act, milliseconds = 250) {
  let waiting = 0;
  return (...given) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => act(...given), milliseconds);
  };
}

/** A pause; ends at once, as an AbortError, when the signal says so. */
export const pause = (milliseconds, signal) => new Promise((done, left) => {
  const timer = setTimeout(done, milliseconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); left(new DOMException("left", "AbortError")); }, { once: true });
});
