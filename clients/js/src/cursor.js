// How every message is handed over once and in order, whatever arrives.
//
// The one rule: a message is taken only if it is the one after the last. Anything else is either had already, and dropped; or it is
// dropped too, and the server asked for all that came after the last one (Resume). So nothing is held back for later: the server's
// history is the buffer, for what arrives too early as well as for what the application is too slow to take.
//
// A server's answer to Resume says how far it has sent. What hasn't arrived by a moment later is asked for again; after
// fruitlessMax answers that brought nothing the application is told to load anew, since waiting longer would hide the loss.

const beginningEpoch = "0";
export const fruitlessMax = 3;

/** The place before a channel's first message: for who wants all that is kept. */
export const beginning = channel => ({ channel, epoch: beginningEpoch, number: 0 });

/** The server refused, and asking again won't help: a token, a channel, or a connection that it closed for good. */
export class LiveRefusedError extends Error {
  name = "LiveRefusedError";
}

/** @typedef {{ channel: string, epoch: string, number: number }} Stamp */

export class Cursor {
  /** Something was dropped, or may have been missed, that must be asked for. */
  isBehind = true;
  /** Answers in a row that brought nothing of what they promised. */
  fruitless = 0;
  #askedAfter = null;
  #owed = null;
  #isReloaded = false;

  /** @param {Stamp | null} last The last message taken; null before it is known where the channel stands. */
  constructor(last = null) {
    this.last = last;
  }

  /** Whether the message is to be handed over. */
  take(stamp, hasRoom) {
    if (this.#has(stamp)) return false;
    if (!hasRoom || !this.#isNext(stamp)) {
      this.isBehind = true;
      return false;
    }
    this.last = stamp;
    return true;
  }

  /** The server says unasked that what lies before the stamp is gone; whether to tell the application. */
  takeReload(stamp) {
    if (this.#has(stamp)) return false;
    this.last = stamp;
    this.#isReloaded = true;
    return true;
  }

  /** A new connection: it must be asked what came after the last message. */
  lose() {
    this.isBehind = true;
    this.fruitless = 0;
  }

  /** The place to ask from. */
  ask() {
    this.isBehind = false;
    this.#isReloaded = false;
    this.#owed = null;
    this.#askedAfter = this.last;
    return this.last;
  }

  /** Takes the answer to ask; whether to tell the application to load anew. */
  answer(stamp, isReload) {
    if (this.#isReloaded) return false; // was told in the meantime, and stands further
    if (isReload) {
      this.last = stamp;
      this.fruitless = 0;
      return true;
    }
    if (!this.last || (this.last.epoch === beginningEpoch && stamp.number === 0)) this.last = stamp;
    this.#owed = stamp;
    return false;
  }

  /** Whether all that the answer said was sent has arrived. */
  get isSettled() {
    return !this.#owed || this.#has(this.#owed);
  }

  /**
   * What was owed had its time to arrive. If it didn't, it is to be asked for again; when that helps no more, the place is returned
   * from which to go on, and the application must load anew.
   * @returns {Stamp | null}
   */
  settle() {
    if (this.isSettled) {
      this.fruitless = 0;
      return null;
    }
    this.isBehind = true;
    this.fruitless = this.last === this.#askedAfter ? this.fruitless + 1 : 0;
    if (this.fruitless < fruitlessMax) return null;
    this.last = this.#owed; // and asked once more from here: what came meanwhile was dropped
    this.fruitless = 0;
    return this.last;
  }

  #has(stamp) {
    return this.last !== null && this.last.epoch === stamp.epoch && stamp.number <= this.last.number;
  }

  #isNext(stamp) {
    return this.last !== null && stamp.number === this.last.number + 1
      && (stamp.epoch === this.last.epoch || this.last.epoch === beginningEpoch);
  }
}
