/**
 * Receives connections at PATH and echoes their bytes, as its sisters in other
 * languages do.
 *
 * ```sh
 * deno run --allow-ffi --allow-read --allow-write receive.ts PATH [TOKEN]
 * ```
 *
 * @module
 */
import { adopt, receiveSockets } from "../mod.ts";

const [path = "", token = ""] = Deno.args;
await using receiver = receiveSockets(path, { token, kinds: ["tcp-conn"] });
await Deno.stdout.write(new TextEncoder().encode("listening\n"));
for await (const socket of receiver) {
  const conn = await adopt(socket, "conn");
  conn.readable.pipeTo(conn.writable).catch(() => {});
}
