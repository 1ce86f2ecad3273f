/** What cannot be done, told with the best that can be. */
import { HandoffError } from "./error.ts";

function error(message: string, cause?: unknown): HandoffError {
  return new HandoffError("handoff/not-supported", message, { cause });
}

/** The best that is left where descriptors cannot be passed. */
export function notSupported(what: string): HandoffError {
  const why = Deno.build.os === "windows"
    ? "Windows hands sockets over in another way"
    : `Deno ${Deno.version.deno} does not show the descriptors of its sockets`;
  return error(
    `Cannot ${what}: ${why}: keep the listener in a parent process and proxy its connections, or let the next process listen with SO_REUSEPORT before this one closes`,
  );
}

/** What only FFI can do, and how to do without. */
export function needsFfi(what: string, alternative: string): HandoffError {
  return error(
    `Cannot ${what}: that needs the C library: run with --allow-ffi, or ${alternative}`,
  );
}

/** Why a live object of this kind cannot go, and what can be done instead. */
export function impossible(socket: object): HandoffError | undefined {
  const has = (name: string): boolean => name in socket;
  if (has("handshake") || (socket as { encrypted?: unknown }).encrypted) {
    return error(
      "Cannot detach a TLS connection: its keys cannot leave the process that made them: pass the listener, or the TCP connection before its handshake, or carry the stream by @holdfast/resume, which moves between processes",
    );
  }
  if (has("settings") && has("goaway") || has("pushStream")) {
    return error(
      "Cannot detach an HTTP/2 connection: its state is spread over its streams: pass the listener, and drain this connection with GOAWAY",
    );
  }
  if (has("bufferedAmount") && has("readyState")) {
    return error(
      "Cannot detach a WebSocket: what it has read ahead and its compression cannot be taken out: close it with code 1012 (service restart) so that the client comes again, or use @holdfast/resume",
    );
  }
  if (has("datagrams") && has("createBidirectionalStream")) {
    return error(
      "Cannot detach a QUIC connection: its state is in the process: close it, and let the client connect to the next one",
    );
  }
  return undefined;
}
