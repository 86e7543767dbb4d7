import { HttpTransportType, HubConnectionBuilder, HubConnectionState, LogLevel } from "@microsoft/signalr";
import { LiveRefusedError } from "./cursor.js";
import { HttpWatch, OpenError } from "./http.js";
import { Sockets } from "./sockets.js";
import { abortable, atMost } from "./waiting.js";

const drainMax = 600_000;
const closeMax = 1_000;
const closeMessage = "Server returned an error on close: "; // SignalR's words before the server's
// How the server begins when it closes for good: part of the hub's contract (docs/realtime.md).
const replaced = "This connection was replaced";
const closedByOperator = "This connection was closed by an operator";

/** The server answered a call, and refused it. */
export class CallRefusedError extends Error {
  name = "CallRefusedError";
}

/**
 * One connection to one server, from its opening to its end. SignalR's own reconnecting, where the server grants it (stateful
 * reconnect), happens inside of it and is not seen here.
 */
export class Link {
  #connection;
  #sockets = new Sockets();
  #callTimeout;
  #end;
  /** Settles when the connection has ended, with the reason if there is one. */
  ended = new Promise(resolve => { this.#end = resolve; });
  hasEnded = false;
  /**
   * Why the server closed it for good, if it did. Known once it is closed.
   * @type {LiveRefusedError | null}
   */
  dismissal = null;
  /** Settles when the server says that it will stop, with the milliseconds that it gives. */
  draining;

  /**
   * @param sink What takes what comes, in the order in which it comes: onEvent(link, event), onBroadcast(message).
   * @throws {OpenError} It didn't succeed.
   * @throws {LiveRefusedError} It was closed for good before it was open.
   */
  static async open(options, url, isTokenRefused, skipNegotiation, sink, signal) {
    const tooLate = new AbortController();
    const timer = setTimeout(() => tooLate.abort(new Error(`It was not open within ${options.callTimeout} ms.`)), options.callTimeout);
    const within = AbortSignal.any([signal, tooLate.signal]);
    const watch = new HttpWatch(within);
    const link = new Link();
    let builder = new HubConnectionBuilder().withUrl(url, {
      ...options.http,
      transport: HttpTransportType.WebSockets,
      skipNegotiation,
      httpClient: watch,
      accessTokenFactory: async () => (await options.accessToken(isTokenRefused)) ?? "",
    }).configureLogging(options.logger ?? LogLevel.None);
    if (!skipNegotiation) builder = builder.withStatefulReconnect();
    link.#callTimeout = options.callTimeout;
    link.#connection = builder.build();
    const http = builder.httpConnectionOptions; // where building has filled in the platform's WebSocket, read once it is to connect
    http.WebSocket = link.#sockets.classOf(http.WebSocket, options.callTimeout);
    link.#listen(sink);
    try {
      within.throwIfAborted();
      await abortable(link.#connection.start(), within);
      return link;
    } catch (error) {
      await link.close();
      signal.throwIfAborted();
      throw dismissalOf(error) ?? new OpenError(watch, error);
    } finally {
      clearTimeout(timer);
    }
  }

  #listen(sink) {
    const connection = this.#connection;
    connection.on("Chat", (stamp, message) => sink.onEvent(this, { type: "chat", stamp, message }));
    connection.on("Notification", (stamp, message) => sink.onEvent(this, { type: "notification", stamp, message }));
    connection.on("Reload", stamp => sink.onEvent(this, { type: "reload", stamp }));
    connection.on("Broadcast", message => sink.onBroadcast(message));
    this.draining = new Promise(resolve => {
      connection.on("Draining", afterMs => resolve(Math.min(Math.max(Number(afterMs) || 0, 0), drainMax)));
    });
    connection.onclose(error => {
      this.dismissal = dismissalOf(error);
      this.break(error);
    });
  }

  async resume(channel, after) {
    const [answer] = await this.#invoke("Resume", [{ channel, epoch: after?.epoch ?? null, number: after?.number ?? 0 }]);
    return answer;
  }

  sendChat(id, text) {
    return this.#invoke("SendChat", id, text);
  }

  leaveRoom(room) {
    return this.#invoke("LeaveRoom", room);
  }

  /** Takes the connection for broken: it ends, and another takes its place. */
  break(error) {
    this.hasEnded = true;
    this.#end(error);
  }

  /** Ends it, within a second or so whatever SignalR still waits for. */
  async close() {
    this.break(undefined);
    const stopped = this.#connection.stop().catch(() => {}); // it has ended already
    this.#sockets.giveUp();
    await atMost(closeMax, stopped);
    this.#sockets.close();
  }

  async #invoke(method, ...args) {
    let timer;
    const silence = new Promise((_, reject) => {
      timer = setTimeout(() => {
        const error = new Error(`${method} was not answered within ${this.#callTimeout} ms.`);
        this.break(error);
        reject(error);
      }, this.#callTimeout);
    });
    try {
      return await Promise.race([this.#connection.invoke(method, ...args), silence]);
    } catch (error) {
      if (this.#isAnswer(error)) throw new CallRefusedError(error.message);
      this.break(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * SignalR rejects a call with the same kind of error when the connection breaks; then it is connected no longer. Before it has seen
   * that, sending fails: with a mere string when the socket is closing, with "Cannot send data …" when the connection is.
   */
  #isAnswer(error) {
    return !this.hasEnded && this.#connection.state === HubConnectionState.Connected
      && error instanceof Error && !error.message.startsWith("Cannot send data");
  }
}

function dismissalOf(error) {
  const reason = error instanceof Error ? error.message.replace(closeMessage, "") : "";
  const isFinal = reason.startsWith(replaced) || reason.startsWith(closedByOperator);
  return isFinal ? new LiveRefusedError(reason, { cause: error }) : null;
}
