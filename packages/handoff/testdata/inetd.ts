/** Run by spawn_test.ts: standard input is a connection. */
import { adopt, inheritedSockets } from "../mod.ts";

const { others } = await inheritedSockets({ inetd: true });
const held = others.get("inetd")!;
const { kind } = held;
const conn = await adopt(held, "conn");
await conn.write(new TextEncoder().encode(kind));
Deno.exit();
