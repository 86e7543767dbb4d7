// Waiting that can be ended, and when to try again.

/** A server that asks for more patience than this is asked again all the same. */
export const retryAfterMax = 600_000;

/**
 * Milliseconds to wait: exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015), so that many
 * who lost the same server don't come back together.
 * @param {{ retryFirst: number, retryMax: number, random: () => number }} options
 * @param {number} failures Failures in a row, 1 or more.
 * @param {number} [retryAfter] What the server asked for: a least, to which the jitter is added.
 */
export function backOff({ retryFirst, retryMax, random }, failures, retryAfter = 0) {
  const ceiling = Math.min(retryMax, retryFirst * 2 ** (Math.max(1, failures) - 1));
  return Math.min(retryAfter, retryAfterMax) + random() * ceiling;
}

/** The promise's result, or a rejection as soon as the signal aborts. */
export function abortable(promise, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => {}); // nobody waits for it any more
      return abort();
    }
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Waits; rejects as soon as the signal aborts. */
export function delay(milliseconds, signal) {
  let timer;
  const elapsed = new Promise(resolve => { timer = setTimeout(resolve, milliseconds); });
  return abortable(elapsed, signal).finally(() => clearTimeout(timer));
}

/** The promise's result, or nothing if it takes longer than that. */
export function atMost(milliseconds, promise) {
  let timer;
  const elapsed = new Promise(resolve => { timer = setTimeout(resolve, milliseconds); });
  return Promise.race([promise, elapsed]).finally(() => clearTimeout(timer));
}

/** Wakes one waiter, now or when it next waits; setting it twice is setting it once. */
export class Signal {
  #isSet = false;
  #wake = null;

  set() {
    this.#isSet = true;
    this.#wake?.();
  }

  reset() {
    this.#isSet = false;
  }

  /** Waits until it is set, at most that long. */
  async wait(signal, atMost = null) {
    signal.throwIfAborted();
    if (!this.#isSet) {
      let timer;
      const woken = new Promise(resolve => {
        this.#wake = resolve;
        if (atMost !== null) timer = setTimeout(resolve, atMost);
      });
      await abortable(woken, signal).finally(() => {
        clearTimeout(timer);
        this.#wake = null;
      });
    }
    this.#isSet = false;
  }
}
