// For pages without a bundler: load @microsoft/signalr/dist/browser/signalr.min.js by a script element first, and map
// "@microsoft/signalr" to this file by an import map. SignalR's own ES modules don't resolve in a browser as they are.
const {
  HttpClient, HttpError, HttpResponse, HttpTransportType, HubConnectionBuilder, HubConnectionState, LogLevel,
} = globalThis.signalR;
export { HttpClient, HttpError, HttpResponse, HttpTransportType, HubConnectionBuilder, HubConnectionState, LogLevel };
