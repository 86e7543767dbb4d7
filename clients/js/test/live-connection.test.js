import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test from "node:test";
import { WebSocket } from "ws";
import { LiveConnection, LiveRefusedError, beginning } from "../src/index.js";
import { FakeHub } from "./fake-hub.js";

const room = "room/lobby";
const quick = { retryFirst: 10, retryMax: 50, settleTime: 100, drainJitter: 10 };
const texts = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);
const within = { timeout: 90_000 };

/** A hub, and connections to it that are stopped with the test. */
async function setUp(t) {
  const hub = await FakeHub.start();
  const connections = [];
  t.after(async () => {
    await Promise.all(connections.map(it => it.stop()));
    await hub.stop();
  });
  const connect = (options = {}) => {
    const live = new LiveConnection({ url: hub.url, ...quick, ...options });
    live.states = [];
    live.addEventListener("status", ({ detail }) => live.states.push(detail));
    connections.push(live);
    return live;
  };
  return { hub, connect };
}

async function read(channel, count) {
  const events = [];
  if (count > 0) {
    for await (const event of channel) if (events.push(event) === count) break;
  }
  return events.map(event => event.type === "chat" ? event.message.text : event.type);
}

async function until(condition) {
  for (const end = Date.now() + 60_000; !condition(); await sleep(5)) assert.ok(Date.now() < end, `${condition}`);
}

test("Connections that are cut in the middle of traffic lose and repeat nothing", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  const reading = read(live.follow(room, beginning(room)), 2_000);
  await live.start();
  for (let i = 1; i <= 2_000; i++) {
    hub.say(room, `${i}`);
    if (i % 20 === 0) await sleep(1);
    if (i % 100 === 0) {
      const lives = live.states.length;
      hub.cut(); // and so much is said while it is away
      hub.say(room, `${++i}`);
      await until(() => live.states.slice(lives).some(it => it.state === "connected"));
    }
  }
  assert.deepEqual(await reading, texts(1, 2_000));
  assert.ok(live.states.filter(it => it.state === "connected").length > 15);
});

test("A server that repeats, leaves out and mixes up is set right", within, async t => {
  const { hub, connect } = await setUp(t);
  let n = 0;
  let late = null;
  hub.deliver = (send, message) => {
    n++;
    if (n % 7 === 0) return; // left out
    if (n % 11 === 0 && !late) { late = message; return; } // comes after the next one
    send(message);
    if (n % 5 === 0) send(message);
    if (late) send(late);
    late = null;
  };
  const live = connect();
  const channel = live.follow(room);
  await live.start();
  await until(() => channel.position);
  const reading = read(channel, 300);
  for (const text of texts(1, 300)) {
    hub.say(room, text);
    if (text % 10 === 0) await sleep(1);
  }
  hub.deliver = (send, message) => send(message);
  hub.say(room, "end");
  assert.deepEqual(await reading, texts(1, 300));
});

test("What a server says it sent, and never does, becomes a reload", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  const channel = live.follow(room);
  await live.start();
  await until(() => channel.position);
  hub.deliver = (send, message) => message.stamp.number === 1 || send(message);
  hub.say(room, "lost");
  hub.say(room, "seen by nobody");
  await until(() => hub.calls.filter(it => it.method === "Resume").length >= 4);
  hub.say(room, "after");
  assert.deepEqual(await read(channel, 2), ["reload", "after"]);
});

test("A message whose answer is lost is sent again, and said once and in order", within, async t => {
  const { hub, connect } = await setUp(t);
  let sends = 0;
  hub.disturb = method => {
    if (method !== "SendChat") return undefined;
    sends++;
    return sends % 3 === 0 ? "cut" : sends % 7 === 0 ? "HubException: please try again." : undefined;
  };
  const live = connect();
  const channel = live.follow(room, beginning(room));
  await live.start();
  const stamps = await Promise.all(texts(1, 60).map(text => channel.send(text)));
  assert.deepEqual(stamps.map(it => it.number), Array.from({ length: 60 }, (_, i) => i + 1));
  assert.deepEqual(await read(channel, 60), texts(1, 60));
  assert.ok(hub.calls.filter(it => it.method === "SendChat").length > 60);
});

test("Sending is bounded, can be given up, and is told what the server won't have", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect({ pendingSendsMax: 2 });
  const channel = live.follow(room);
  const given = new AbortController();
  const first = channel.send("first", { signal: given.signal });
  const second = channel.send("second", { id: "my name" });
  await assert.rejects(channel.send("third"), RangeError);
  given.abort();
  await assert.rejects(first, { name: "AbortError" });
  await live.start();
  await second;
  assert.equal(hub.calls.find(it => it.method === "SendChat").args[0], "my name");
  hub.disturb = () => "An unexpected error occurred. HubException: text must have 1 to 2000 characters.";
  await assert.rejects(channel.send(""), /1 to 2000/);
  assert.equal(live.status.state, "connected");
  await assert.rejects(live.follow("inbox").send("?"), TypeError);
});

test("What is too long for any server is refused before it waits", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  const channel = live.follow(room);
  await live.start();
  await assert.rejects(channel.send("x".repeat(4_001)), { name: "RangeError", message: /4,000/ });
  await assert.rejects(channel.send("hello", { id: "x".repeat(65) }), { name: "RangeError", message: /64/ });
  assert.equal((await channel.send("x".repeat(4_000), { id: "x".repeat(64) })).number, 1);
  assert.equal(hub.calls.filter(it => it.method === "SendChat").length, 1);
});

test("A draining server is left for another before it stops, and nothing is missed", within, async t => {
  const { hub, connect } = await setUp(t);
  const other = await FakeHub.start();
  t.after(() => other.stop());
  other.channel = name => hub.channel(name); // the same history
  const live = connect({ url: [hub.url, other.url] });
  const channel = live.follow(room, beginning(room));
  await live.start();
  hub.say(room, "1");
  hub.broadcast("Draining", [30]);
  const drained = Date.now();
  await until(() => other.connections.size === 1 && hub.connections.size === 0);
  assert.ok(Date.now() - drained >= 25);
  other.say(room, "2");
  assert.deepEqual(await read(channel, 2), ["1", "2"]);
  assert.ok(!live.states.some(it => it.state === "waiting"), "it was never without a connection");
});

test("A broadcast that comes from the draining server and from the next one is handed over once", within, async t => {
  const { hub, connect } = await setUp(t);
  const other = await FakeHub.start();
  t.after(() => other.stop());
  const live = connect({ url: [hub.url, other.url] });
  const heard = [];
  live.addEventListener("broadcast", ({ detail }) => heard.push(detail.text));
  await live.start();
  let greet = null;
  other.greet = answer => { greet = answer; };
  hub.broadcast("Draining", [0]);
  await until(() => greet);
  const sentAt = "2026-01-01T00:00:00.1234567+00:00";
  hub.broadcast("Broadcast", [{ text: "Maintenance at ten", sentAt }]);
  await until(() => heard.length === 1); // over the old one, while the next one is being opened
  greet();
  other.broadcast("Broadcast", [{ text: "Maintenance at ten", sentAt }]);
  other.broadcast("Broadcast", [{ text: "Maintenance at eleven", sentAt }]);
  await until(() => heard.includes("Maintenance at eleven"));
  assert.deepEqual(heard, ["Maintenance at ten", "Maintenance at eleven"]);
});

test("A drain at the cap goes on with the next server, not with the one that drains", within, async t => {
  const { hub, connect } = await setUp(t);
  const other = await FakeHub.start();
  t.after(() => other.stop());
  other.refuse = () => other.negotiations.length === 1 ? { status: 429, headers: {} } : undefined;
  const live = connect({ url: [hub.url, other.url] });
  await live.start();
  hub.broadcast("Draining", [0]);
  await until(() => other.connections.size === 1);
  assert.equal(hub.negotiations.length, 1);
});

for (const step of ["negotiation", "upgrade"]) {
  test(`A next server that never answers the ${step} is given up, and the end of the draining one is seen meanwhile`, within, async t => {
    const { hub, connect } = await setUp(t);
    const other = await FakeHub.start();
    t.after(() => other.stop());
    let isAsked = false;
    other.refuse = request => {
      const isMeant = Boolean(request.headers.upgrade) === (step === "upgrade");
      isAsked ||= isMeant;
      return isMeant ? "silence" : undefined;
    };
    const live = connect({ url: [hub.url, other.url], callTimeout: 3_000 });
    await live.start();
    const { length } = live.states;
    hub.broadcast("Draining", [0]);
    await until(() => isAsked);
    hub.cut();
    await until(() => live.states.length > length);
    assert.equal(live.states[length].state, "connecting", "while it is still asked");
    other.refuse = () => undefined;
    await until(() => hub.connections.size + other.connections.size === 1);
  });

  test(`Stopping doesn't wait for a server that never answers the ${step}`, within, async t => {
    const { hub, connect } = await setUp(t);
    let isAsked = false;
    hub.refuse = request => {
      if (Boolean(request.headers.upgrade) !== (step === "upgrade")) return undefined;
      isAsked = true;
      return "silence";
    };
    const live = connect();
    const starting = assert.rejects(live.start(), { name: "AbortError" });
    await until(() => isAsked);
    const startedAt = Date.now();
    await live.stop();
    assert.ok(Date.now() - startedAt < 15_000, "half the time that opening may take");
    await starting;
  });
}

test("A drain at the cap of connections lets go of the old one first", within, async t => {
  const { hub, connect } = await setUp(t);
  hub.refuse = () => hub.connections.size > 0 ? { status: 429, headers: {} } : undefined;
  const live = connect();
  const channel = live.follow(room, beginning(room));
  await live.start();
  hub.say(room, "1");
  const [old] = hub.connections;
  hub.broadcast("Draining", [0]);
  await until(() => hub.connections.size === 1 && !hub.connections.has(old));
  hub.say(room, "2");
  assert.deepEqual(await read(channel, 2), ["1", "2"]);
});

test("What is kept no longer is a reload, in its place", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  const channel = live.follow(room, beginning(room));
  await live.start();
  hub.say(room, "1");
  await until(() => hub.connections.size === 1 && hub.calls.length === 1);
  hub.forget(room); // pushed
  hub.say(room, "2");
  assert.deepEqual(await read(channel, 3), ["1", "reload", "2"]);
  hub.cut();
  hub.forget(room, { tell: false }); // found out by asking
  hub.say(room, "gone with the reload");
  await until(() => hub.connections.size === 1 && hub.calls.length === 2);
  hub.say(room, "3");
  assert.deepEqual(await read(channel, 2), ["reload", "3"]);
});

test("What a slow reader can't take stays with the server", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect({ queueMax: 10 });
  const channel = live.follow(room, beginning(room));
  await live.start();
  for (const text of texts(1, 500)) hub.say(room, text);
  await sleep(50);
  hub.say(room, "501");
  assert.deepEqual(await read(channel, 501), texts(1, 501));
  assert.ok(hub.calls.length > 10, "it asked for what it had no room for");
});

test("A later run goes on after what was done with", within, async t => {
  const { hub, connect } = await setUp(t);
  const before = connect();
  const inbox = before.follow("inbox", beginning("inbox"));
  await before.start();
  for (const text of texts(1, 5)) hub.say("inbox/me", text);
  assert.deepEqual(await read(inbox, 3), ["1", "2", "3"]);
  const saved = JSON.parse(JSON.stringify(before.positions));
  await before.stop();
  hub.say("inbox/me", "6");
  const after = connect();
  const again = after.follow("inbox", saved[0]);
  await after.start();
  assert.deepEqual(await read(again, 4), ["3", "4", "5", "6"], "the third was being handled, and wasn't done");
});

test("A refused token is asked for once more, and then it is over", within, async t => {
  const { hub, connect } = await setUp(t);
  hub.refuse = request => /new/.test(request.headers.authorization ?? request.url) ? undefined : { status: 401, headers: {} };
  const live = connect({ accessToken: isRefused => isRefused ? "new" : "old" });
  await live.start();
  const refused = connect({ accessToken: () => "old" });
  const channel = refused.follow(room);
  const send = channel.send("?");
  send.catch(() => {});
  await assert.rejects(refused.start(), LiveRefusedError);
  await assert.rejects(send, LiveRefusedError);
  await assert.rejects(read(channel, 1), LiveRefusedError);
  assert.equal(refused.status.state, "closed");
});

test("A server that is full is asked again when it says, and not before", within, async t => {
  const { hub, connect } = await setUp(t);
  hub.refuse = () => hub.negotiations.length < 2 ? { status: 503, headers: { "Retry-After": "1" } } : undefined;
  const startedAt = Date.now();
  const live = connect();
  await live.start();
  assert.ok(Date.now() - startedAt >= 990);
  assert.ok(live.states.find(it => it.state === "waiting").retryIn >= 1_000);
});

test("An option that is undefined has its default", within, async t => {
  const { hub, connect } = await setUp(t);
  hub.refuse = () => hub.negotiations.length < 2 ? { status: 503, headers: {} } : undefined;
  const live = connect({ accessToken: undefined, retryFirst: undefined, retryMax: undefined, random: () => 0.5 });
  await live.start();
  assert.equal(live.states.find(it => it.state === "waiting").retryIn, 500);
});

test("A message has a name where the page isn't a secure context, too", within, async t => {
  const { hub, connect } = await setUp(t);
  t.mock.method(crypto, "randomUUID", () => { throw new TypeError("crypto.randomUUID is not a function"); });
  const live = connect();
  const channel = live.follow(room);
  await live.start();
  await Promise.all([channel.send("hello"), channel.send("hello")]);
  const names = hub.calls.filter(it => it.method === "SendChat").map(it => it.args[0]);
  assert.equal(new Set(names).size, 2);
  for (const name of names) assert.match(name, /^[0-9a-f]{32}$/);
});

test("An upgrade that comes to another server than the negotiation is repeated without one", within, async t => {
  const { hub, connect } = await setUp(t);
  hub.refuse = request => request.headers.upgrade && /id=/.test(request.url) ? { status: 404 } : undefined;
  const live = connect();
  await live.start();
  assert.equal(hub.negotiations.length, 1);
});

test("A drain whose upgrade comes to another server is repeated without a negotiation", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  await live.start();
  const [old] = hub.connections;
  hub.refuse = request => request.headers.upgrade && /id=/.test(request.url) ? { status: 404 } : undefined;
  hub.broadcast("Draining", [0]);
  await until(() => hub.connections.size === 1 && !hub.connections.has(old));
  assert.equal(hub.negotiations.length, 2);
  assert.ok(!live.states.some(it => it.state === "waiting"), "it was never without a connection");
});

test("A room that is refused ends, and the rest goes on", within, async t => {
  const { hub, connect } = await setUp(t);
  hub.disturb = (method, [points]) => method === "Resume" && points[0].channel === "room/secret"
    ? "An unexpected error occurred. HubException: This room is not open." : undefined;
  const live = connect();
  const secret = live.follow("room/secret");
  const inbox = live.follow("inbox", beginning("inbox"));
  assert.throws(() => live.follow(room), TypeError);
  await live.start();
  await assert.rejects(read(secret, 1), /not open/);
  hub.say("inbox/me", "1");
  assert.deepEqual(await read(inbox, 1), ["1"]);
  const lobby = live.follow(room, beginning(room));
  hub.say(room, "2");
  assert.deepEqual(await read(lobby, 1), ["2"]);
  const waiting = read(lobby, 1);
  await lobby.leave();
  assert.deepEqual(await waiting, []);
  assert.equal(hub.calls.at(-1).method, "LeaveRoom");
});

test("A room whose leaving is refused for the moment is left later, unless a room is followed again", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  let lobby = live.follow(room);
  await live.start();
  await until(() => lobby.position);
  const leavings = () => hub.calls.filter(it => it.method === "LeaveRoom").length;
  hub.disturb = method => method === "LeaveRoom" && leavings() < 3 ? "HubException: Too many calls. Try again in 9 ms." : undefined;
  await lobby.leave();
  assert.equal(leavings(), 3);

  lobby = live.follow(room);
  await until(() => lobby.position);
  hub.disturb = method => method === "LeaveRoom" ? "HubException: Please try again." : undefined;
  const leaving = lobby.leave();
  await until(() => leavings() > 4);
  await live.follow(room).send("I am back");
  await leaving;
  assert.equal(hub.calls.findLastIndex(it => it.method === "LeaveRoom") < hub.calls.findLastIndex(it => it.method === "Resume"), true);
});

test("Leaving ends with the connection, even if it is refused for the moment", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect({ retryFirst: 60_000, retryMax: 60_000, random: () => 1 });
  const lobby = live.follow(room);
  await live.start();
  await until(() => lobby.position);
  hub.disturb = method => method === "LeaveRoom" ? "HubException: Please try again." : undefined;
  const leaving = lobby.leave();
  await until(() => hub.calls.some(it => it.method === "LeaveRoom"));
  await live.stop();
  await leaving;
});

test("Broadcasts come as they are, and stopping ends everything", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  const channel = live.follow(room);
  const heard = new Promise(resolve => live.addEventListener("broadcast", ({ detail }) => resolve(detail.text)));
  await live.start();
  hub.broadcast("Broadcast", [{ text: "Maintenance at ten" }]);
  assert.equal(await heard, "Maintenance at ten");
  hub.disturb = () => "cut";
  const send = channel.send("never acknowledged");
  send.catch(() => {});
  await live.stop();
  await assert.rejects(send, { name: "AbortError" });
  assert.deepEqual(await read(channel, 1), []);
  assert.equal(live.status.state, "closed");
});

test("Sending and stopping at once leaves no rejection that nobody handles, and sends nothing any more", within, async t => {
  const { hub, connect } = await setUp(t);
  const unhandled = [];
  const note = error => unhandled.push(error);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  const live = connect();
  const lobby = live.follow(room);
  await live.start();
  await lobby.send("first");
  lobby.send("bye").catch(() => {});
  await live.stop();
  await sleep(50);
  assert.deepEqual(unhandled, []);
  assert.equal(hub.calls.filter(it => it.method === "SendChat").length, 1);
});

test("A room that is left just when more of it would be asked for isn't entered again", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect({ queueMax: 10 });
  const left = live.follow("room/a", beginning("room/a"));
  let isThere = false;
  live.addEventListener("broadcast", () => { isThere = true; });
  await live.start();
  await until(() => hub.calls.length === 1);
  for (const text of texts(1, 12)) hub.say("room/a", text);
  hub.broadcast("Broadcast", [{ text: "all twelve are there, and the queue had no room for two" }]);
  await until(() => isThere);
  let entered;
  for await (const { message } of left) {
    if (message.text !== "6") continue; // asking for it freed half of the queue, which woke who asks the server for more
    left.leave();
    entered = live.follow("room/b");
  }
  await entered.send("here");
  const asked = hub.calls.map(({ method, args }) => method === "Resume" ? args[0][0].channel : method);
  assert.deepEqual(asked, ["room/a", "LeaveRoom", "room/b", "SendChat"]);
});

test("A message that meets a socket on its way down goes over the next connection", within, async t => {
  const { hub, connect } = await setUp(t);
  let closing = null;
  const sockets = [];
  class Socket extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }

    get readyState() {
      return this === closing ? WebSocket.CLOSING : super.readyState;
    }
  }
  const live = connect({ http: { WebSocket: Socket } });
  const lobby = live.follow(room);
  await live.start();
  await until(() => lobby.position);
  [closing] = sockets;
  assert.equal((await lobby.send("hello")).number, 1);
  assert.equal(sockets.length, 2);
});

for (const isStateful of [false, true]) {
  for (const reason of [
    "This connection was replaced: you have opened more than you may have at the same time.",
    "This connection was closed by an operator.",
  ]) {
    test(`"${reason}" is the end${isStateful ? ", with stateful reconnects too" : ""}`, within, async t => {
      const { hub, connect } = await setUp(t);
      hub.isStateful = isStateful;
      const live = connect();
      const channel = live.follow(room);
      await live.start();
      const reading = read(channel, 1);
      hub.close(reason);
      await assert.rejects(reading, { name: "LiveRefusedError", message: reason });
      assert.equal(live.status.state, "closed");
      assert.equal(live.status.error.message, reason);
      assert.ok(live.status.error instanceof LiveRefusedError);
      await live.stop();
      assert.equal(hub.negotiations.length, 1);
      await until(() => hub.connections.size === 0);
    });
  }
}

test("A drain whose next connection replaces the old one isn't the end, even if that one fails", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = connect();
  await live.start();
  const [old] = hub.connections;
  hub.refuse = request => {
    if (!request.headers.upgrade || hub.connections.size === 0) return undefined;
    hub.close("This connection was replaced: you have opened more than you may have at the same time.");
    return { status: 503 };
  };
  hub.broadcast("Draining", [0]);
  await until(() => hub.connections.size === 1 && !hub.connections.has(old));
  await until(() => live.status.state === "connected");
});

test("Stopping while a drained server is let go of leaves no connection to the next one", within, async t => {
  const { hub, connect } = await setUp(t);
  const other = await FakeHub.start();
  t.after(() => other.stop());
  let stopped = null;
  class Socket extends WebSocket {
    close(...args) {
      stopped ??= live.stop(); // the first to be closed is the old one, once the next one is open
      super.close(...args);
    }
  }
  const live = connect({ url: [hub.url, other.url], http: { WebSocket: Socket } });
  await live.start();
  hub.broadcast("Draining", [0]);
  await until(() => stopped);
  await stopped;
  assert.equal(other.negotiations.length, 1);
  await until(() => other.connections.size === 0 && hub.connections.size === 0);
});

/** A connection whose server falls silent: SignalR reopens the socket (stateful reconnect), and that is never answered. */
async function fallSilent({ hub, connect }, options) {
  hub.isStateful = true;
  const live = connect(options);
  live.follow(room);
  await live.start();
  hub.refuse = request => request.headers.upgrade ? "silence" : undefined;
  hub.cut();
  await until(() => hub.silent.size === 1);
  return live;
}

test("A server that doesn't answer when the socket is opened anew is given up, and another connection made", within, async t => {
  const { hub, connect } = await setUp(t);
  await fallSilent({ hub, connect }, { callTimeout: 500 });
  const { length } = hub.negotiations;
  await until(() => hub.negotiations.length > length);
  hub.refuse = () => undefined;
  await until(() => hub.connections.size === 1);
});

test("Stopping doesn't wait for a server that has fallen silent", within, async t => {
  const { hub, connect } = await setUp(t);
  const live = await fallSilent({ hub, connect });
  const startedAt = Date.now();
  await live.stop();
  assert.ok(Date.now() - startedAt < 15_000, "half the time that a call may take");
  await until(() => hub.silent.size === 0);
});
