import { CallRefusedError } from "./link.js";
import { Signal, abortable, backOff, delay } from "./waiting.js";

/**
 * The longest that is sent. A server closes a connection that brings it more than 32 KB at once, which would look like one that broke,
 * and the message be repeated for ever; each character is six bytes at most on the wire.
 */
const textLengthMax = 4_000;
const idLengthMax = 64;

/**
 * What was said in a room and isn't acknowledged yet. It goes out in order, one at a time, so that a connection that breaks can't let
 * a later message overtake; it is repeated under the same name, by which the server knows it, until it is acknowledged.
 */
export class PendingSends {
  #options;
  #sends = [];
  #added = new Signal();
  #end = null;

  constructor(options) {
    this.#options = options;
  }

  /** Queues a message; the stamp comes when it is stored. */
  async add(id, text, signal) {
    throwIfTooLong("text", text, textLengthMax);
    throwIfTooLong("id", id, idLengthMax);
    if (this.#end) throw this.#end;
    signal?.throwIfAborted();
    if (this.#sends.length >= this.#options.pendingSendsMax) {
      throw new RangeError(`${this.#options.pendingSendsMax} messages wait to be acknowledged (pendingSendsMax).`);
    }
    const pending = { id, text };
    const stored = new Promise((resolve, reject) => Object.assign(pending, { resolve, reject }));
    this.#sends.push(pending);
    this.#added.set();
    try {
      return await (signal ? abortable(stored, signal) : stored);
    } finally {
      this.#remove(pending);
    }
  }

  /** Sends what waits, and what is added, over a link, until it ends. */
  async sendAll(link, signal) {
    for (let failures = 0; ;) {
      const pending = this.#sends[0];
      if (!pending) {
        await this.#added.wait(signal);
        continue;
      }
      signal.throwIfAborted(); // it may have ended since the signal that woke this
      try {
        const stamp = await abortable(link.sendChat(pending.id, pending.text), signal);
        this.#remove(pending);
        pending.resolve(stamp);
        failures = 0;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof CallRefusedError)) throw error;
        if (this.#options.isTransient(error)) {
          await delay(backOff(this.#options, ++failures), signal);
        } else {
          this.#remove(pending);
          pending.reject(error);
        }
      }
    }
  }

  /** Nothing will be sent any more: those who wait are told why. */
  end(error) {
    this.#end ??= error;
    for (const pending of this.#sends.splice(0)) pending.reject(error);
  }

  #remove(pending) {
    const index = this.#sends.indexOf(pending);
    if (index >= 0) this.#sends.splice(index, 1);
  }
}

function throwIfTooLong(name, value, lengthMax) {
  if (String(value).length > lengthMax) throw new RangeError(`${name} may have ${lengthMax.toLocaleString("en")} characters.`);
}
