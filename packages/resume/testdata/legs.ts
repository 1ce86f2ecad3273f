/** The kinds of transport that streams are tested over, all of them real. */
import type { Transport, TransportSource } from "../mod.ts";
import { dialWebSocket, webSocketTransports } from "../websocket.ts";
import {
  CA_CERTIFICATE,
  CERTIFICATE,
  CERTIFICATE_KEY,
} from "@holdfast/testkit/certificates";
import type { Place } from "./cut_relay.ts";

/** One kind of transport. */
export interface Leg {
  readonly name: string;
  /** About how many bytes pass before the first one of the stream. */
  readonly handshakeBytes: number;
  /** Where a relay for it listens, if not on a free port. */
  relayPath?(folder: string): string;
  /** Starts a listener of its own. */
  listen(folder: string): {
    readonly source: TransportSource;
    readonly place: Place;
  };
  /** Connects to it, or to a relay in front of it. */
  dial(place: Place, signal: AbortSignal): Promise<Transport>;
}

const HOST = "127.0.0.1";

function portOf(place: Place): number {
  if ("port" in place) return place.port;
  throw new TypeError(`Cannot dial ${place.path}: it is no port`);
}

export const tcp: Leg = {
  name: "TCP",
  handshakeBytes: 260,
  listen() {
    const source = Deno.listen({ hostname: HOST, port: 0 });
    return { source, place: { port: source.addr.port } };
  },
  dial: (place, signal) =>
    Deno.connect({
      hostname: HOST,
      port: portOf(place),
      signal,
    }),
};

export const tls: Leg = {
  name: "TLS",
  handshakeBytes: 2_200,
  listen() {
    const source = Deno.listenTls({
      hostname: HOST,
      port: 0,
      cert: CERTIFICATE,
      key: CERTIFICATE_KEY,
    });
    return { source, place: { port: source.addr.port } };
  },
  dial: (place) =>
    Deno.connectTls({
      hostname: HOST,
      port: portOf(place),
      caCerts: [CA_CERTIFICATE],
    }),
};

let unixPaths = 0;

export const unix: Leg = {
  name: "a Unix socket",
  handshakeBytes: 260,
  relayPath: (folder) => `${folder}/relay-${unixPaths++}`,
  listen(folder) {
    const path = `${folder}/server-${unixPaths++}`;
    return {
      source: Deno.listen({ transport: "unix", path }),
      place: { path },
    };
  },
  dial: (place) => {
    if ("port" in place) throw new TypeError("Cannot dial a port as a path");
    return Deno.connect({ transport: "unix", path: place.path });
  },
};

export const webSocket: Leg = {
  name: "WebSocket",
  handshakeBytes: 900,
  listen() {
    const transports = webSocketTransports();
    const http = Deno.serve(
      { hostname: HOST, port: 0, onListen() {} },
      transports.handle,
    );
    const source: TransportSource = {
      accept: () => transports.accept(),
      close() {
        transports.close();
        // Not awaited: it waits for sockets that a relay left hanging.
        void http.shutdown();
      },
    };
    return { source, place: { port: http.addr.port } };
  },
  dial: (place, signal) =>
    dialWebSocket(`ws://${HOST}:${portOf(place)}/`, { openTimeoutMs: 200 })({
      attempt: 0,
      movedTo: undefined,
      signal,
    }),
};
