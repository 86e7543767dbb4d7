import type { IHttpConnectionOptions, ILogger, LogLevel } from "@microsoft/signalr";

/** A place in a channel's history. Epochs are opaque and compared for equality; numbers rise by one within an epoch. */
export interface Stamp {
  readonly channel: string;
  readonly epoch: string;
  readonly number: number;
}

export interface ChatMessage {
  readonly room: string;
  readonly from: string;
  readonly clientMessageId: string;
  readonly text: string;
  readonly sentAt: string;
}

export interface NotificationMessage {
  readonly text: string;
  readonly sentAt: string;
}

/**
 * What a channel hands over, in order and once. A "reload" stands where messages are missing for good: what is shown of the channel
 * must be loaded anew, and the events after it come after its stamp. Who stores the stamp together with what the event led to can go
 * on from there after a restart, exactly once.
 */
export type LiveEvent =
  | { readonly type: "chat"; readonly stamp: Stamp; readonly message: ChatMessage }
  | { readonly type: "notification"; readonly stamp: Stamp; readonly message: NotificationMessage }
  | { readonly type: "reload"; readonly stamp: Stamp };

/** Times are milliseconds. */
export interface LiveConnectionOptions {
  /** Address of the hub (https://…/hubs/live), or several: the next one is tried when one can't be reached. */
  url: string | readonly string[];
  /**
   * Gives an access token. The argument is true when the last one was refused: then a fresh one is wanted. If the server refuses
   * that too (401 or 403), the connection gives up.
   */
  accessToken?: (isRefused: boolean) => string | null | Promise<string | null>;
  /** The first back-off is a random part of this; it doubles with every failure in a row. Default 1,000. */
  retryFirst?: number;
  /** The longest back-off, unless the server asks for more. Default 30,000. */
  retryMax?: number;
  /** A connection that lived this long was a success: failures are counted anew. Default 10,000. */
  stableAfter?: number;
  /**
   * A call that isn't answered within this is taken for a broken connection; so is a connection that isn't open, or open again, by
   * then. Default 30,000.
   */
  callTimeout?: number;
  /** How long what the server says it has sent may take to arrive before it is asked for again. Default 1,000. */
  settleTime?: number;
  /** A random part of this is added to the time that a draining server gives. Default 1,000. */
  drainJitter?: number;
  /** Events of a channel that wait for its reader; past it they are left with the server and asked for later. Default 1,000. */
  queueMax?: number;
  /** Messages of a room that wait to be acknowledged; past it sending fails at once. Default 100. */
  pendingSendsMax?: number;
  /** Which refusals of a call are worth another try. The default goes by the server's words. */
  isTransient?: (error: Error) => boolean;
  /** Further settings of SignalR's withUrl, such as headers. */
  http?: Partial<IHttpConnectionOptions>;
  logger?: LogLevel | ILogger;
  /** Where jitter comes from, in [0, 1). */
  random?: () => number;
}

export interface LiveStatus {
  readonly state: "idle" | "connecting" | "connected" | "waiting" | "closed";
  /** How long it waits, when it does. */
  readonly retryIn?: number;
  /** Why it isn't connected, if that is known. */
  readonly error?: unknown;
}

/**
 * The server refused, and asking again won't help: a token, a channel, or a connection that it closed for good (another one of the
 * user's replaced it, or an operator closed it; the message says which).
 */
export class LiveRefusedError extends Error {}

/** The place before a channel's first message: for who wants all that is kept. */
export function beginning(channel: string): Stamp;

/** A room or the inbox, followed over all connections that come and go. One reader at a time; reading it again goes on. */
export interface LiveChannel extends AsyncIterable<LiveEvent> {
  readonly name: string;
  /** The stamp of the last event that the reader is done with (it has asked for the next one). */
  readonly position: Stamp | null;
  /**
   * Says something in the room; the stamp comes when it is stored. It is repeated over new connections under the same id, by which
   * the server stores it once. Giving up by the signal doesn't mean that it wasn't stored. Rejects with RangeError what is too long
   * for any server (a text of more than 4,000 characters, an id of more than 64), or when too many messages wait.
   */
  send(text: string, options?: { id?: string; signal?: AbortSignal }): Promise<Stamp>;
  /** Follows it no longer. What waits to be sent fails. */
  leave(): Promise<void>;
}

/** A connection that is there to stay. Dispatches "status" (detail: LiveStatus) and "broadcast" (detail: {text, sentAt}). */
export class LiveConnection extends EventTarget {
  constructor(options: LiveConnectionOptions);
  readonly status: LiveStatus;
  /** Where the readers of all channels are, to be saved and given to follow() by a later run. */
  readonly positions: readonly Stamp[];
  /** Follows a channel ("room/…" or "inbox"), before or after the start, after a stamp or from now on. One room at a time. */
  follow(name: string, after?: Stamp | null): LiveChannel;
  /** Starts, and waits until it is connected for the first time. Rejects with LiveRefusedError if the token is refused. */
  start(): Promise<void>;
  /** Stops for good. Readers come to their end, and what waits to be sent fails. */
  stop(): Promise<void>;
}
