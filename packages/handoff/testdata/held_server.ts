/** Run by holder_test.ts: serves the listener that the holder keeps. */
import { createServer } from "node:http";
import { adopt, serveNode, takeFromHolder } from "../mod.ts";
import type { PassableListener } from "../mod.ts";

const { socket } = await takeFromHolder(Deno.args[0]!, "web");
const listener = await adopt(socket, "listener") as PassableListener;
await serveNode(
  listener,
  createServer((_request, response) => response.end(`pid ${Deno.pid}`)),
);
Deno.stdout.writeSync(new TextEncoder().encode("up\n"));
