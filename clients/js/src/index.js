export { LiveConnection } from "./live-connection.js";
export { LiveRefusedError, beginning } from "./cursor.js";
