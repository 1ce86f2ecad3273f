import { Emitter, relay } from "@holdfast/events/emitter";
import { listen, openUpgrader, type Upgrader } from "@holdfast/handoff";
import { superviseAccept } from "@holdfast/recovery";
import type { TransportSource } from "@holdfast/resume";
import { Crossroads } from "./_crossroads.ts";
import { ServerHandle } from "./_server.ts";
import { decodeServerState } from "./_server_state.ts";
import { openPort } from "./_open_port.ts";
import type { Limitation } from "./peer_events.ts";
import type { ServeHandler, ServeOptions } from "./serve_options.ts";
import type { Server } from "./server.ts";
import type { ServerEvent } from "./server_events.ts";

const SOCKET_NAME = "holdfast";

/**
 * Serves streams that outlive their connections, and with `upgrade` or a
 * `store` also this process. The other end is `connect`, and any client of the
 * resume protocol.
 *
 * ```ts
 * import { connect, serve } from "@holdfast/holdfast";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = await serve((conn) => conn.readable.pipeTo(conn.writable));
 *
 * const conn = await connect(server.addr as Deno.NetAddr, { network: false });
 * await conn.write(new TextEncoder().encode("hello"));
 * const into = new Uint8Array(16);
 * const n = await conn.read(into);
 * assertEquals(new TextDecoder().decode(into.subarray(0, n!)), "hello");
 * await conn[Symbol.asyncDispose]();
 * ```
 *
 * @throws {Deno.errors.AddrInUse} When the port is taken.
 * @throws {TypeError} When both `listener` and `upgrade` are given.
 * @throws {HandoffError} When this process could not take over from another.
 */
export async function serve(
  handler: ServeHandler,
  options: ServeOptions = {},
): Promise<Server> {
  const { signal, onListenerError } = options;
  signal?.throwIfAborted();
  if (options.listener !== undefined && options.upgrade) {
    throw new TypeError(
      "Cannot serve: a listener that was given cannot be passed to another process: give hostname and port instead, or leave out upgrade",
    );
  }
  await using undo = new AsyncDisposableStack();
  const emitter = new Emitter<ServerEvent>({ onListenerError });
  const upgrader = options.upgrade
    ? await openUpgrader({ signal, onListenerError })
    : undefined;
  if (upgrader !== undefined) undo.use(upgrader);
  const listener = options.listener ?? await listenAt(options, upgrader);
  const source = new Crossroads(supervised(listener, emitter));
  undo.defer(() => source.close());
  const state = await upgrader?.predecessorState();
  const restored = state && decodeServerState(state);
  if (upgrader !== undefined) {
    relay(upgrader, emitter, { map: (event) => ({ type: "handoff", event }) });
    await upgrader.ready();
  }
  const limited: Limitation[] = [];
  const lease = await openPort(options, source.addr, limited);
  undo.move();
  const server = new ServerHandle({
    ...{ options, handler, source, upgrader, lease, limited, restored },
    emitter,
  });
  if (typeof options.upgrade === "object" && options.upgrade.on) {
    replaceOn(options.upgrade.on, server);
  }
  return server;
}

async function listenAt(
  { hostname, port = 0, signal }: ServeOptions,
  upgrader: Upgrader | undefined,
): Promise<TransportSource> {
  const where = { hostname, port, signal };
  return await (upgrader?.listen(SOCKET_NAME, where) ?? listen(where));
}

/** No passing failure ends it; what happens is told. */
function supervised(
  listener: TransportSource,
  emitter: Emitter<ServerEvent>,
): TransportSource {
  const inner = superviseAccept(listener);
  relay(inner, emitter, { map: (event) => ({ type: "accept", event }) });
  return {
    addr: listener.addr,
    async accept() {
      try {
        return await inner.accept();
      } catch (cause) {
        // It rejects for one reason only.
        throw new Deno.errors.BadResource("Listener has been closed", {
          cause,
        });
      }
    },
    close: () => inner.close(),
  };
}

function replaceOn(signal: Deno.Signal, server: Server): void {
  // A second one while it is under way, and a failure, change nothing: the
  // events tell.
  const replace = (): void => void server.upgrade().catch(() => {});
  Deno.addSignalListener(signal, replace);
  void server.finished.then(() => Deno.removeSignalListener(signal, replace));
}
