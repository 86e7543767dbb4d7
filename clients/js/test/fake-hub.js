import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const separator = "\x1e";

/**
 * A live hub with as many faults as a test wants, speaking SignalR's JSON protocol. Its history is right; what it does to
 * connections needn't be.
 */
export class FakeHub {
  /** What comes to a connection: replace it to repeat, to leave out, to reorder. */
  deliver = (send, message) => send(message);
  /** Refuses a negotiation or an upgrade: returns { status, headers }, "silence" (it is never answered) or nothing. */
  refuse = () => undefined;
  /** Answers a call otherwise: returns an error's text, "cut" or nothing. Comes after a SendChat was stored. */
  disturb = () => undefined;
  /** Answers a connection's handshake: replace it to have that wait. */
  greet = answer => answer();
  /** Grants stateful reconnects; what comes over a reopened socket isn't taken up, though. */
  isStateful = false;
  /** What it was asked: { method, args }. */
  calls = [];
  negotiations = [];
  connections = new Set();
  /** Sockets of upgrades that aren't answered. */
  silent = new Set();
  #channels = new Map();
  #server = createServer((request, response) => this.#negotiate(request, response));
  #sockets = new WebSocketServer({ noServer: true });
  #epochs = 10;

  static async start() {
    const hub = new FakeHub();
    hub.#server.on("upgrade", (request, socket, head) => hub.#upgrade(request, socket, head));
    hub.#server.listen(0, "127.0.0.1");
    await once(hub.#server, "listening");
    return hub;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/hubs/live`;
  }

  channel(name) {
    if (!this.#channels.has(name)) this.#channels.set(name, { name, epoch: `e${this.#epochs++}`, messages: [], first: 1 });
    return this.#channels.get(name);
  }

  /** Stores a message and sends it to those who follow. The same id again is the same message. */
  say(name, text, id = crypto.randomUUID()) {
    const channel = this.channel(name);
    const known = channel.messages.find(message => message.id === id);
    if (known) return known.stamp;
    const stamp = { channel: name, epoch: channel.epoch, number: channel.messages.length + channel.first };
    const message = { id, stamp, target: "Chat", arguments: [stamp, { room: name, clientMessageId: id, text }] };
    channel.messages.push(message);
    for (const connection of this.connections) {
      if (connection.following.has(name)) this.deliver(it => connection.invoke(it.target, it.arguments), message);
    }
    return stamp;
  }

  /** Forgets what a channel had: its numbers begin anew, in another epoch. */
  forget(name, { tell = true } = {}) {
    Object.assign(this.channel(name), { epoch: `e${this.#epochs++}`, messages: [] });
    if (tell) this.broadcast("Reload", [{ channel: name, epoch: this.channel(name).epoch, number: 0 }]);
  }

  broadcast(target, args) {
    for (const connection of this.connections) connection.invoke(target, args);
  }

  /** Closes all connections as a server does that doesn't want them back. */
  close(error) {
    for (const connection of this.connections) connection.send({ type: 7, error });
  }

  cut() {
    for (const connection of this.connections) connection.socket.terminate();
  }

  async stop() {
    this.cut();
    for (const socket of this.silent) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #negotiate(request, response) {
    this.negotiations.push(request.headers.authorization ?? null);
    const refusal = this.refuse(request);
    if (refusal === "silence") return;
    if (refusal) {
      response.writeHead(refusal.status, refusal.headers).end();
    } else {
      response.end(JSON.stringify({
        negotiateVersion: 1, connectionId: "c", connectionToken: "t", useStatefulReconnect: this.isStateful,
        availableTransports: [{ transport: "WebSockets", transferFormats: ["Text"] }],
      }));
    }
  }

  #upgrade(request, socket, head) {
    const refusal = this.refuse(request);
    if (refusal === "silence") {
      this.silent.add(socket);
      socket.on("end", () => socket.destroy()).on("error", () => {}).on("close", () => this.silent.delete(socket)).resume();
    } else if (refusal) {
      socket.end(`HTTP/1.1 ${refusal.status} Refused\r\nConnection: close\r\n\r\n`);
    } else {
      this.#sockets.handleUpgrade(request, socket, head, opened => this.#serve(opened));
    }
  }

  #serve(socket) {
    const connection = {
      socket,
      following: new Set(),
      room: null,
      send: message => socket.readyState === socket.OPEN && socket.send(JSON.stringify(message) + separator),
      invoke: (target, args) => connection.send({ type: 1, target, arguments: args }),
    };
    this.connections.add(connection);
    socket.on("close", () => this.connections.delete(connection));
    socket.once("message", () => {
      this.greet(() => socket.send("{}" + separator));
      socket.on("message", data => String(data).split(separator).filter(Boolean)
        .map(text => JSON.parse(text)).filter(message => message.type === 1).forEach(call => this.#answer(connection, call)));
    });
  }

  #answer(connection, { invocationId, target: method, arguments: args }) {
    this.calls.push({ method, args });
    let result = null;
    if (method === "SendChat") result = this.say(connection.room, args[1], args[0]);
    const disturbance = this.disturb(method, args);
    if (disturbance === "cut") return connection.socket.terminate();
    if (disturbance) return connection.send({ type: 3, invocationId, error: disturbance });
    if (method === "Resume") result = args[0].map(point => this.#resume(connection, point));
    connection.send({ type: 3, invocationId, result });
  }

  #resume(connection, { channel: asked, epoch, number }) {
    const name = asked === "inbox" ? "inbox/me" : asked;
    const channel = this.channel(name);
    const stamp = { channel: name, epoch: channel.epoch, number: channel.messages.length + channel.first - 1 };
    connection.following.add(name);
    if (asked !== "inbox") connection.room = name;
    if (epoch === null) return { stamp, isReload: false };
    if ((epoch !== channel.epoch && epoch !== "0") || number > stamp.number) return { stamp, isReload: true };
    for (const message of channel.messages.slice(Math.max(0, number - channel.first + 1))) {
      this.deliver(it => connection.invoke(it.target, it.arguments), message);
    }
    return { stamp, isReload: false };
  }
}
