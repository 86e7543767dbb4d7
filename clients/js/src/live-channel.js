import { Cursor, LiveRefusedError } from "./cursor.js";
import { CallRefusedError } from "./link.js";
import { PendingSends } from "./pending-sends.js";
import { Signal, abortable, backOff, delay } from "./waiting.js";

const roomPrefix = "room/";

/**
 * A room or the inbox, followed over all connections that come and go. Reading it (for await) gives every message once and in order,
 * one at a time; an event of type "reload" stands where messages are missing for good. It ends when the channel is left or the
 * connection is stopped, with a LiveRefusedError if the server refused.
 */
export class LiveChannel {
  #owner;
  #options;
  #cursor;
  #sends;
  #queue = [];
  #isEnded = false;
  #error = null;
  #isRead = false;
  #arrived = new Signal();
  #wake = new Signal();
  #left = new AbortController();

  /** @internal LiveConnection.follow makes them. */
  constructor(name, after, owner, options) {
    this.name = name;
    /** The stamp of the last event that the reader is done with, to be given to follow() by a later run of the application. */
    this.position = after;
    this.room = name.startsWith(roomPrefix) ? name.slice(roomPrefix.length) : null;
    this.#owner = owner;
    this.#options = options;
    this.#cursor = new Cursor(after);
    this.#sends = new PendingSends(options);
  }

  /** Says something in the room. It is repeated over new connections until it is stored, and stored once. */
  async send(text, { id = newId(), signal } = {}) {
    if (this.room === null) throw new TypeError(`${this.name} is no room.`);
    return await this.#sends.add(id, text, signal);
  }

  /** Follows it no longer. What waits to be sent fails. */
  leave() {
    return this.#owner._leave(this);
  }

  /** Reads on from the last event that was read. One reader at a time. */
  async *[Symbol.asyncIterator]() {
    if (this.#isRead) throw new TypeError(`${this.name} is being read already.`);
    this.#isRead = true;
    try {
      for (;;) {
        const event = this.#queue.shift();
        if (event) {
          yield event;
          this.position = event.stamp;
          if (this.#cursor.isBehind && this.#hasRoom) this.#wake.set();
        } else if (this.#isEnded) {
          if (this.#error) throw this.#error;
          return;
        } else {
          await this.#arrived.wait(this.#left.signal).catch(() => {}); // left: ended, which is seen above
        }
      }
    } finally {
      this.#isRead = false;
    }
  }

  /** Whether a stamp's channel is this one; the inbox's full name carries the user's id. */
  _is(channel) {
    return channel === this.name || channel.startsWith(`${this.name}/`);
  }

  _offer(event) {
    const isTaken = event.type === "reload"
      ? this.#cursor.takeReload(event.stamp)
      : this.#cursor.take(event.stamp, this.#queue.length < this.#options.queueMax);
    if (isTaken) this.#push(event);
    else if (this.#cursor.isBehind) this.#wake.set();
  }

  /** Follows the channel over a link until that ends: asks for what was missed, and again whenever something is. */
  async _keep(link, end) {
    this.#cursor.lose();
    const done = new AbortController();
    const signal = AbortSignal.any([end, this.#left.signal, done.signal]);
    let sending = null;
    try {
      for (let failures = 0; ;) {
        if (!this.#cursor.isBehind || !this.#hasRoom) {
          await this.#wake.wait(signal);
          continue;
        }
        signal.throwIfAborted(); // left since it was woken, it would be entered again behind LeaveRoom
        this.#wake.reset();
        const after = this.#cursor.ask();
        try {
          this.#take(await abortable(link.resume(this.name, after), signal));
          failures = 0;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof CallRefusedError && this.#options.isTransient(error))) throw error;
          this.#cursor.isBehind = true;
          await delay(backOff(this.#options, ++failures), signal);
          continue;
        }
        sending ??= this.#sendAll(link, signal);
        await this.#settle(signal);
      }
    } catch (error) {
      if (!signal.aborted) {
        if (error instanceof CallRefusedError) {
          this.#owner._refuse(this, new LiveRefusedError(`${this.name}: ${error.message}`, { cause: error }));
        } else {
          link.break(error);
        }
      }
    }
    done.abort();
    await sending;
  }

  /** Nothing comes any more. */
  _end(error = null) {
    this.#isEnded = true;
    this.#error = error;
    this.#sends.end(error ?? new DOMException(`${this.name} is followed no longer.`, "AbortError"));
    this.#left.abort();
  }

  /** Asking takes a round trip, so it waits until there is room for many. */
  get #hasRoom() {
    return this.#queue.length <= this.#options.queueMax / 2;
  }

  #push(event) {
    this.#queue.push(event);
    this.#arrived.set();
  }

  #take({ stamp, isReload }) {
    const isFirst = this.#cursor.last === null;
    if (this.#cursor.answer(stamp, isReload)) this.#push({ type: "reload", stamp });
    else if (isFirst) this.position ??= this.#cursor.last; // a later run goes on from here, even if nothing is said until then
  }

  async #settle(signal) {
    if (!this.#cursor.isSettled) await this.#wake.wait(signal, this.#options.settleTime);
    const goOn = this.#cursor.settle();
    if (goOn) this.#push({ type: "reload", stamp: goOn });
    if (this.#cursor.fruitless > 0) await delay(backOff(this.#options, this.#cursor.fruitless), signal);
  }

  async #sendAll(link, signal) {
    try {
      await this.#sends.sendAll(link, signal);
    } catch (error) {
      if (!signal.aborted) link.break(error); // otherwise what is left goes over the next link
    }
  }
}

/** Not randomUUID, which pages have only in a secure context. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
}
