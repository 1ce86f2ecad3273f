/** The programs of the demo, started and introduced to each other. */
import { createIdentity, exportIdentity } from "@holdfast/signal";
import { type BrokerProcess, startBroker } from "../../tools/broker/spawn.ts";
import { type Line, Program } from "./lines.ts";
import type { RunOptions } from "./run.ts";

/** Who takes part. */
export interface Cast {
  readonly brokers: readonly BrokerProcess[];
  readonly proxy: Program;
  readonly server: Program;
  readonly client: Program;
}

/** What the cast needs to be told. */
export interface CastOptions {
  readonly run: RunOptions;
  /** Where the files are. */
  readonly folder: string;
  /** The local address that the client begins with. */
  readonly localAddress: string | undefined;
  /** Hears every line of the server and the client. */
  readonly onLine: (who: "client" | "server", line: Line) => void;
}

const HERE = import.meta.dirname!;
const MIB = 1024 * 1024;
const NOTES = 100;
/** All that the programs may reach. */
export const NET = "--allow-net=127.0.0.0/8";
/** What a server that can be replaced reads of its environment. */
export const LISTEN_ENV =
  "--allow-env=LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES,HOLDFAST_CONTROL_FD";

/** Starts the brokers, by that command where there is one. */
export async function startBrokers(
  stack: AsyncDisposableStack,
  inside: readonly string[] = [],
): Promise<BrokerProcess[]> {
  const brokers: BrokerProcess[] = [];
  for (let i = 0; i < 3; i++) {
    brokers.push(stack.use(await startBroker({ inside })));
  }
  return brokers;
}

/**
 * Starts proxy, server and client. The server and the client are told each
 * other's id and the brokers, and nothing of where the other one is.
 */
export async function startCast(
  brokers: readonly BrokerProcess[],
  options: CastOptions,
  stack: AsyncDisposableStack,
): Promise<Cast> {
  const { folder, run, onLine } = options;
  const program = (
    name: string,
    permissions: readonly string[],
    hear: (line: Line) => void,
  ) => stack.use(new Program(name, `${HERE}/${name}.ts`, permissions, hear));
  const [serverId, clientId] = [await createIdentity(), await createIdentity()];
  const proxy = program("proxy", [NET], () => {});
  const { port } = await proxy.hear("listening");
  const files = [NET, `--allow-read=${folder}`, `--allow-write=${folder}`];
  const serverFlags = [...files, "--allow-run", LISTEN_ENV];
  const server = program(
    "server",
    serverFlags,
    (line) => onLine("server", line),
  );
  const common = {
    type: "setup",
    brokers: brokers.map(({ url }) => url),
    rateBytesPerS: run.mebibytes * MIB / run.seconds,
    replay: run.replay,
    notes: NOTES,
  };
  const serving = server.hear("serving");
  await server.tell({
    ...common,
    identity: exportIdentity(serverId),
    client: clientId.id,
    advertise: [{ hostname: "127.0.0.1", port }],
    outPath: `${folder}/down`,
    inPath: `${folder}/up-received`,
    args: runArgs("server", serverFlags),
  });
  await proxy.tell({ type: "forward", port: (await serving).port });
  const client = program("client", files, (line) => onLine("client", line));
  await client.tell({
    ...common,
    identity: exportIdentity(clientId),
    server: serverId.id,
    localAddress: options.localAddress,
    outPath: `${folder}/up`,
    inPath: `${folder}/down-received`,
  });
  return { brokers, proxy, server, client };
}

/** How the server starts its successor. */
function runArgs(name: string, permissions: readonly string[]): string[] {
  const flags = ["--no-prompt", "--ignore-env", ...permissions];
  return ["run", ...flags, `${HERE}/${name}.ts`];
}
