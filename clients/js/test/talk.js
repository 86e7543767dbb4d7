// Says its part in the lobby and prints what it heard there: node talk.js URL SAYS HEARS, with the token in ACCESS. Started by
// tests/WebFrontend.Tests, against the real hub.
import { LiveConnection, beginning } from "../src/index.js";

const [, , url, says, hears] = process.argv;
const live = new LiveConnection({ url, accessToken: () => process.env.ACCESS, retryFirst: 20, retryMax: 200, pendingSendsMax: Number(says) });
const lobby = live.follow("room/lobby", beginning("room/lobby"));
await live.start();
const said = Promise.all(Array.from({ length: Number(says) }, (_, i) => lobby.send(`j${i + 1}`)));
const heard = [];
for await (const { type, message } of lobby) {
  if (heard.push(message?.text ?? type) === Number(hears)) break;
}
await said;
console.log(JSON.stringify(heard));
await live.stop();
