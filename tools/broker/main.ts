// deno-lint-ignore-file no-console
/**
 * An embedded MQTT 3.1.1 broker in a process of its own, so that a demo or a
 * test can `kill -9`, freeze and restart a real one with nothing installed.
 * Development only, never published.
 *
 * It prints one line, `{"port":N}`, once it listens on 127.0.0.1.
 *
 * ```sh
 * deno run --ignore-env --allow-net=127.0.0.1 tools/broker/main.ts [--port N] [--until-stdin-ends]
 * ```
 *
 * With `--until-stdin-ends` it ends when its standard input does, and so never
 * outlives the program that started it, however that one died.
 *
 * @module
 */
import { Aedes } from "aedes";
import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import { parseArgs } from "node:util";

/** Runs the broker; resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "0" },
      "until-stdin-ends": { type: "boolean", default: false },
    },
  });
  const broker = await Aedes.createBroker();
  const server = createServer({ noDelay: true }, (socket) => {
    broker.handle(readWhole(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(values.port), "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") return 1;
  console.log(JSON.stringify({ port: address.port }));
  if (!values["until-stdin-ends"]) await new Promise(() => {});
  for await (const _chunk of Deno.stdin.readable);
  return 0;
}

/**
 * Makes `read()` give all that is there, as aedes expects. Deno 2.9 follows
 * nodejs/node#60441 and gives one chunk; aedes then asks for the next one in
 * the middle of parsing, and under load its parser loses its place.
 */
function readWhole(socket: Socket): Socket {
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    const chunks: Buffer[] = [];
    for (let chunk = read(size); chunk !== null; chunk = read(size)) {
      chunks.push(chunk);
    }
    return chunks.length > 0 ? Buffer.concat(chunks) : null;
  };
  return socket;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
