/** Counts the bytes of each stream; see `tests/serve_test.ts`. */
import { parseArgs } from "node:util";
import { serve, type ServeOptions } from "@holdfast/holdfast";
import { sqliteStore } from "@holdfast/resume/sqlite";

const { values } = parseArgs({
  args: [...Deno.args],
  options: {
    upgrade: { type: "boolean" },
    store: { type: "string" },
    port: { type: "string", default: "0" },
  },
});

const options: ServeOptions = {
  port: Number(values.port),
  ...(values.upgrade ? { upgrade: { on: "SIGHUP" } } : {}),
  ...(values.store === undefined
    ? {}
    : { store: sqliteStore(values.store), commits: "manual" }),
};

let restored = false;
const server = await serve(async (conn, { kept, keep }) => {
  restored ||= conn.restored;
  const before = kept ?? conn.appState;
  let count = before === undefined
    ? 0
    : new DataView(before.buffer).getUint32(0);
  const state = () => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, count);
    return bytes;
  };
  keep(state);
  const into = new Uint8Array(64);
  for (;;) {
    const n = await conn.read(into);
    if (n === null) return;
    for (let i = 0; i < n; i++) {
      const text = `${++count}`.padStart(8, "0");
      await conn.write(new TextEncoder().encode(text));
    }
    if (values.store !== undefined) await conn.commit(conn.bytesRead, state());
  }
}, options);
await new Promise((resolve) => setTimeout(resolve, 0));
const { port } = server.addr as Deno.NetAddr;
restored ||= server.state.connections.some((conn) => conn.restored);
const line = JSON.stringify({ port, pid: Deno.pid, restored });
Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
