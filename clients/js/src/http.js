import { HttpClient, HttpError, HttpResponse } from "@microsoft/signalr";

/** A connection could not be opened. */
export class OpenError extends Error {
  /**
   * @param {HttpWatch} watch What was seen of the attempt.
   * @param {unknown} cause What SignalR said.
   */
  constructor(watch, cause) {
    super(watch.status ? `The server answered ${watch.status}.` : "The server was not reached.", { cause });
    this.name = "OpenError";
    this.status = watch.status;
    this.retryAfter = watch.retryAfter;
    this.isNegotiated = watch.isNegotiated;
  }
}

/** Negotiates, and sees the status and Retry-After of a refusal, which SignalR keeps to itself. */
export class HttpWatch extends HttpClient {
  status = null;
  /** Milliseconds. */
  retryAfter = 0;
  isNegotiated = false;
  #signal;

  /** @param {AbortSignal} signal Ends a negotiation that is under way. */
  constructor(signal) {
    super();
    this.#signal = signal;
  }

  async send(request) {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      body: request.content || undefined,
      cache: "no-cache",
      credentials: request.withCredentials ? "include" : "same-origin",
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(request.timeout ?? 30_000)]),
    });
    const content = await response.text();
    this.isNegotiated = response.ok;
    if (!response.ok) {
      this.status = response.status;
      this.retryAfter = toMilliseconds(response.headers.get("Retry-After"));
      throw new HttpError(content || response.statusText, response.status);
    }
    this.status = null;
    return new HttpResponse(response.status, response.statusText, content);
  }
}

function toMilliseconds(retryAfter) {
  if (!retryAfter) return 0;
  const milliseconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return milliseconds > 0 ? milliseconds : 0;
}
