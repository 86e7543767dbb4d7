const connecting = 0; // WebSocket.CONNECTING

/**
 * The sockets of one link, of which SignalR opens another when it reconnects (stateful reconnect). It waits for that without end,
 * can't be stopped while it waits, and forgets a socket that opens after it was stopped. So one that isn't open within a time is
 * closed here, which SignalR takes for a failure to connect; and nothing is left open when the link is closed.
 */
export class Sockets {
  #socket = null;
  #timer;
  #isClosed = false;

  /** What SignalR is to make its sockets with. */
  classOf(WebSocket, openTimeout) {
    const sockets = this;
    return class extends WebSocket {
      constructor(...args) {
        if (sockets.#isClosed) throw new Error("The link is closed.");
        super(...args);
        sockets.#socket = this;
        clearTimeout(sockets.#timer);
        sockets.#timer = setTimeout(() => sockets.giveUp(), openTimeout);
      }
    };
  }

  /** Closes the one that isn't open yet. */
  giveUp() {
    if (this.#socket?.readyState === connecting) this.#socket.close();
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
