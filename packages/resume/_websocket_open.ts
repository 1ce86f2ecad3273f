/** Where a WebSocket leads, and waiting until it is open. */

/** The absolute `ws:` or `wss:` form of a URL. */
export function webSocketUrl(url: string | URL): string {
  const address = new URL(url, globalThis.location?.href);
  const { protocol } = address;
  if (protocol === "http:") address.protocol = "ws:";
  else if (protocol === "https:") address.protocol = "wss:";
  else if (protocol !== "ws:" && protocol !== "wss:") {
    throw new TypeError(
      `Cannot dial a WebSocket: "${protocol}" is no scheme for it: use ws: or wss:`,
    );
  }
  return address.href;
}

/** The address without its query, which may hold a secret. */
export function plain({ url }: WebSocket): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** Resolves when the socket is open; closing it otherwise is the caller's. */
export function opened(
  socket: WebSocket,
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  if (socket.readyState === WebSocket.OPEN) return Promise.resolve();
  if (socket.readyState !== WebSocket.CONNECTING) {
    return Promise.reject(
      new TypeError("Cannot use the WebSocket: it is closed"),
    );
  }
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.removeEventListener("open", onOpen);
      socket.removeEventListener("error", onError);
      socket.removeEventListener("close", onError);
      outcome();
    };
    const onAbort = (): void => settle(() => reject(signal!.reason));
    const onOpen = (): void => settle(resolve);
    const onError = (event: Event): void => {
      const { error, message } = event as Partial<ErrorEvent>;
      const why = message || "no reason given";
      settle(() =>
        reject(
          new Error(`Cannot open the WebSocket ${plain(socket)}: ${why}`, {
            cause: error,
          }),
        )
      );
    };
    const timer = setTimeout(
      () =>
        settle(() =>
          reject(
            new DOMException(
              `The WebSocket took longer than ${ms} ms to open`,
              "TimeoutError",
            ),
          )
        ),
      ms,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.addEventListener("open", onOpen);
    socket.addEventListener("error", onError);
    socket.addEventListener("close", onError);
  });
}
