import { LiveRefusedError } from "./cursor.js";
import { OpenError } from "./http.js";
import { CallRefusedError, Link } from "./link.js";
import { LiveChannel } from "./live-channel.js";
import { backOff, delay } from "./waiting.js";

const defaults = {
  accessToken: () => "",
  retryFirst: 1_000,
  retryMax: 30_000,
  stableAfter: 10_000,
  callTimeout: 30_000,
  settleTime: 1_000,
  drainJitter: 1_000,
  queueMax: 1_000,
  pendingSendsMax: 100,
  isTransient: error => /try again/i.test(error.message),
  random: Math.random,
};

/** Of so many broadcasts a repeat is known. */
const broadcastsMax = 100;

/**
 * A connection to the live hub that is there to stay: it comes back when it breaks, on whichever server it is given, and its channels
 * go on where they were. Dispatches "status" and "broadcast"; see index.d.ts for all of it.
 *
 * One loop holds one link after the other. Only when a server drains are there two for a moment: the next one is opened before the
 * old one is cut, and takes over by Resume; if it can't be opened (a user at his cap of connections, say), the old one is let go
 * first, like one that broke.
 */
export class LiveConnection extends EventTarget {
  status = { state: "idle" };
  #options;
  #urls;
  #channels = [];
  #broadcasts = new Set();
  #work = null;
  #run = null;
  #stop = new AbortController();
  #stopped = new Promise(resolve => this.#stop.signal.addEventListener("abort", resolve, { once: true }));
  #connected = {};
  #failures = 0;
  #url = 0;
  #skipNegotiation = false;

  constructor(options) {
    super();
    this.#urls = [options.url].flat();
    if (!this.#urls[0]) throw new TypeError("url is missing.");
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...defaults, ...given };
    this.#connected.promise = new Promise((resolve, reject) => Object.assign(this.#connected, { resolve, reject }));
    this.#connected.promise.catch(() => {}); // whoever started it is told
  }

  /** Where the readers of all channels are, to be saved and given to follow() by a later run. */
  get positions() {
    return this.#channels.map(channel => channel.position).filter(Boolean);
  }

  /** Follows a channel ("room/…" or "inbox"), after the last message that the application has, or from now on. */
  follow(name, after = null) {
    const channel = new LiveChannel(name, after, this, this.#options);
    const other = this.#channels.find(it => it.name === name || (it.room !== null && channel.room !== null));
    if (this.#stop.signal.aborted || this.status.state === "closed") throw new TypeError("The connection is closed.");
    if (other) throw new TypeError(`${other.name} is followed already, and must be left first.`);
    this.#channels.push(channel);
    this.#work?.add(channel);
    return channel;
  }

  /** Starts, and waits until it is connected for the first time, however long that takes. */
  start() {
    this.#run ??= this.#runAsync();
    return this.#connected.promise;
  }

  /** Stops for good. Readers come to their end, and what waits to be sent fails. */
  async stop() {
    this.#stop.abort();
    if (this.#run) await this.#run;
    else this.#close(null);
  }

  /** @internal */
  async _leave(channel) {
    if (!this.#remove(channel)) return;
    channel._end();
    if (channel.room !== null && this.#work) {
      await this.#leaveRoom(channel.room, this.#work).catch(() => {}); // a new connection follows only what is followed then
    }
  }

  /** Tells the server, again while it refuses for the moment; a room that is followed makes it leave the one before. */
  async #leaveRoom(room, { link, signal }) {
    for (let failures = 1; !this.#channels.some(it => it.room !== null); failures++) {
      try {
        return await link.leaveRoom(room);
      } catch (error) {
        if (!(error instanceof CallRefusedError && this.#options.isTransient(error))) throw error;
      }
      await delay(backOff(this.#options, failures), signal);
    }
  }

  /** @internal The server won't let this channel be followed; the others go on. */
  _refuse(channel, error) {
    this.#remove(channel);
    channel._end(error);
  }

  #remove(channel) {
    const index = this.#channels.indexOf(channel);
    if (index >= 0) this.#channels.splice(index, 1);
    return index >= 0;
  }

  async #runAsync() {
    let refused = null;
    try {
      for (let next = null; ;) next = await this.#hold(next ?? await this.#open());
    } catch (error) {
      if (!this.#stop.signal.aborted) refused = error;
    }
    this.#close(refused);
  }

  #close(error) {
    for (const channel of this.#channels) channel._end(error);
    this.#become({ state: "closed", error });
    this.#connected.reject(error ?? new DOMException("The connection was stopped.", "AbortError"));
  }

  /** Holds a link until it ends, or drains; returns the one that has taken its place, if there is one already. */
  async #hold(link) {
    const openedAt = performance.now();
    const stop = this.#stop.signal;
    const work = new Work(link);
    this.#work = work;
    this.#channels.forEach(channel => work.add(channel));
    this.#become({ state: "connected" });
    this.#connected.resolve();
    let next = null;
    let isHandover = false;
    try {
      const afterMs = await Promise.race([link.ended.then(() => null), link.draining, this.#stopped]);
      if (!link.hasEnded && !stop.aborted) {
        const wait = afterMs + this.#options.random() * this.#options.drainJitter;
        await Promise.race([link.ended, delay(wait, stop)]);
        isHandover = !link.hasEnded; // from here on it may be the next one that it is replaced by
        if (isHandover) next = await this.#takeOver(link);
      }
    } finally {
      this.#work = null;
      await work.end();
      await link.close();
    }
    if (stop.aborted) {
      await next?.close();
      throw stop.reason;
    }
    if (!next) {
      if (link.dismissal && !isHandover) throw link.dismissal;
      this.#failures = performance.now() - openedAt < this.#options.stableAfter ? this.#failures + 1 : 1;
      if (!isHandover) this.#url++;
      await this.#wait(0, await link.ended);
    }
    return next;
  }

  /** Opens a link, however often that has to be tried. */
  async #open() {
    for (let isTokenRefused = false; ;) {
      this.#become({ state: "connecting", error: this.status.error });
      try {
        return await this.#openOnce(isTokenRefused);
      } catch (error) {
        if (!(error instanceof OpenError)) throw error;
        if (error.status === 401 || error.status === 403) {
          if (isTokenRefused) throw new LiveRefusedError("The access token was refused, and a fresh one too.", { cause: error });
          isTokenRefused = true;
          continue;
        }
        this.#failures++;
        this.#url++;
        if (!this.#isElsewhere(error)) await this.#wait(error.retryAfter, error);
      }
    }
  }

  /** Opens the link that takes over from one that drains, which may end meanwhile; null if that didn't succeed. */
  async #takeOver(link) {
    this.#url++;
    const opening = this.#tryOpen();
    await Promise.race([opening, link.ended]);
    if (link.hasEnded) this.#become({ state: "connecting", error: await link.ended });
    return await opening;
  }

  async #tryOpen() {
    for (;;) {
      try {
        return await this.#openOnce(false);
      } catch (error) {
        if (!(error instanceof OpenError)) throw error;
        if (!this.#isElsewhere(error)) return null;
      }
    }
  }

  /**
   * Behind a balancer that isn't sticky, the server that is reached may not be the one that negotiated: then it is asked again at once,
   * without a negotiation. Whether that is so; the next failure in a row is never taken for this one.
   */
  #isElsewhere(error) {
    this.#skipNegotiation = error.isNegotiated && !this.#skipNegotiation && !error.status;
    return this.#skipNegotiation;
  }

  #openOnce(isTokenRefused) {
    const url = this.#urls[this.#url % this.#urls.length];
    const sink = { onEvent: (link, event) => this.#onEvent(link, event), onBroadcast: message => this.#onBroadcast(message) };
    return Link.open(this.#options, url, isTokenRefused, this.#skipNegotiation, sink, this.#stop.signal);
  }

  async #wait(retryAfter, error) {
    const retryIn = backOff(this.#options, this.#failures, retryAfter);
    this.#become({ state: "waiting", retryIn, error });
    await delay(retryIn, this.#stop.signal);
  }

  #onEvent(link, event) {
    if (this.#work?.link !== link) return; // what another one still brings is in its successor's history
    this.#channels.find(channel => channel._is(event.stamp.channel))?._offer(event);
  }

  /** While one link takes over from another, both bring it; it isn't kept, so neither can be left to bring it alone. */
  #onBroadcast(message) {
    const name = JSON.stringify([message.sentAt, message.text]);
    if (this.#broadcasts.has(name)) return;
    this.#broadcasts.add(name);
    if (this.#broadcasts.size > broadcastsMax) this.#broadcasts.delete(this.#broadcasts.values().next().value); // the oldest
    this.#dispatch("broadcast", message);
  }

  #become(status) {
    this.status = status;
    this.#dispatch("status", status);
  }

  #dispatch(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** What is done for channels over one link. */
class Work {
  #end = new AbortController();
  #tasks = [];

  constructor(link) {
    this.link = link;
  }

  /** Ends with it. */
  get signal() {
    return this.#end.signal;
  }

  add(channel) {
    this.#tasks.push(channel._keep(this.link, this.signal));
  }

  async end() {
    this.#end.abort();
    await Promise.all(this.#tasks);
  }
}
