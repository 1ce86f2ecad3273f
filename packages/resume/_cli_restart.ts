/**
 * A restart that no program notices: the next process inherits the listening
 * socket and the programs' connections, and gets what the sessions hold in a
 * file of its own once this one has stopped.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { setImmediate } from "node:timers";
import { CommandError } from "./_cli_listen.ts";
import { errorText } from "./_deno.ts";
import { ConnMaker, descriptorOf, releaseDescriptor } from "./_descriptors.ts";
import { SharedListener } from "./_shared_listener.ts";
import type { LocalConn, TunnelPredecessor } from "./tunnel_options.ts";

// What a process takes to start, on a machine that has much else to do.
const READY_MS = 30_000;
// After standard input, output and error.
const CONTROL_FD = 3;

/** An end of a tunnel that can be passed on. */
export interface Restartable {
  readonly addr: Deno.Addr | undefined;
  pause(): Promise<LocalConn[]>;
  resume(): void;
  suspend(): Uint8Array<ArrayBuffer>;
}

/** What a process inherits, as it stands on its command line. */
export interface Inheritance {
  /** Where its predecessor writes what the sessions hold. */
  readonly file: string;
  readonly listens: boolean;
  readonly connections: number;
  /** Where it listened, if that is a TCP port. */
  readonly port: number;
}

/** Reads what {@linkcode restart} wrote; `undefined` for anything else. */
export function parseInheritance(text: string): Inheritance | undefined {
  const found = /^([01]),(\d{1,6}),(\d{1,5}),(.+)$/.exec(text);
  if (found === null) return undefined;
  const [, listens, connections, port, file] = found;
  return {
    listens: listens === "1",
    connections: Number(connections),
    port: Number(port),
    file: file!,
  };
}

/** The arguments of a successor: those of this process, but for its own inheritance. */
export function successorArgs(
  own: readonly string[],
  inheritance: string,
): string[] {
  const at = own.indexOf("--successor");
  const kept = at < 0 ? own : own.toSpliced(at, 2);
  return [...kept, "--successor", inheritance];
}

/**
 * Starts the same command anew, and ends this process once the other one has
 * taken over. Returns only when that failed; then all goes on as before.
 *
 * @throws {CommandError} When it failed.
 */
export async function restart(
  end: Restartable,
  listener: SharedListener | undefined,
  starting: (pid: number) => void,
): Promise<never> {
  try {
    const own = await commandLine();
    const connections = await end.pause();
    return await handOver(end, listener, own, connections, starting);
  } catch (error) {
    end.resume();
    const why = error instanceof Deno.errors.NotCapable
      ? "it needs --allow-run, --allow-env, --allow-read and --allow-write"
      : errorText(error);
    throw new CommandError(`Cannot restart, and goes on as it is: ${why}`);
  }
}

async function handOver(
  end: Restartable,
  listener: SharedListener | undefined,
  own: readonly string[],
  connections: readonly LocalConn[],
  starting: (pid: number) => void,
): Promise<never> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast-" });
  const file = `${folder}/state`;
  try {
    const { addr } = end;
    const port = addr !== undefined && "port" in addr ? addr.port : 0;
    const listens = Number(listener !== undefined);
    const inheritance = [listens, connections.length, port, file].join();
    const child = startSuccessor(
      successorArgs(own, inheritance),
      listener,
      connections,
    );
    await isReady(child);
    starting(child.pid!);
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
  // In this phase of the event loop every read and write that is done has been
  // told of, and none can be done before the process has ended.
  return await new Promise<never>(() =>
    setImmediate(() => {
      Deno.writeFileSync(file, end.suspend(), { mode: 0o600, createNew: true });
      Deno.exit(0);
    })
  );
}

function startSuccessor(
  args: readonly string[],
  listener: SharedListener | undefined,
  connections: readonly LocalConn[],
): ChildProcess {
  const held: { readonly fd: number; readonly listens: boolean }[] = [];
  try {
    if (listener !== undefined) {
      held.push({ fd: listener.descriptor(), listens: true });
    }
    for (const conn of connections) {
      const fd = descriptorOf(conn);
      if (fd === undefined) {
        throw new Error(
          "a connection over a Unix socket cannot be passed on: use TCP, or end it first",
        );
      }
      held.push({ fd, listens: false });
    }
    return spawn(Deno.execPath(), args, {
      stdio: [
        ...["ignore", "inherit", "inherit", "pipe"] as const,
        ...held.map(({ fd }) => fd),
      ],
    });
  } finally {
    // In the same turn, before anything can read.
    for (const { fd, listens } of held) releaseDescriptor(fd, listens);
  }
}

function isReady(child: ChildProcess): Promise<void> {
  const control = child.stdio[CONTROL_FD] as Socket;
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error("the new process does not get ready")),
      READY_MS,
    );
    control.once("data", () => {
      clearTimeout(timer);
      resolve();
    });
    control.on("error", () => {}); // It ends, and that is told below.
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`the new process ended with code ${code}`));
    });
  }).catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });
}

/** The arguments of this process's command, as the system has them. */
async function commandLine(): Promise<string[]> {
  const path = `/proc/${Deno.pid}/cmdline`;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch {
    // Deno lets nobody read it but who may do everything.
    const { stdout } = await new Deno.Command("cat", { args: [path] }).output();
    text = new TextDecoder().decode(stdout);
  }
  return text.split("\0").slice(1, -1);
}

/** What a successor has of its predecessor. */
export interface TakenOver extends TunnelPredecessor {
  /** Where it listened. */
  readonly port: number;
  readonly listener: SharedListener | undefined;
}

/**
 * Says that this process is ready, waits for the end of its predecessor, and
 * takes over.
 *
 * @throws {CommandError} When the predecessor ended in another way.
 */
export async function takeOver(inheritance: Inheritance): Promise<TakenOver> {
  const maker = await ConnMaker.create();
  const first = CONTROL_FD + 1;
  await predecessorEnds();
  const { file } = inheritance;
  let state: Uint8Array;
  try {
    state = await Deno.readFile(file);
    await Deno.remove(file.slice(0, file.lastIndexOf("/")), {
      recursive: true,
    });
  } catch (error) {
    throw new CommandError(
      `Cannot take over: the process before ended, and left nothing: ${
        errorText(error)
      }`,
    );
  }
  const listener = inheritance.listens
    ? await SharedListener.listen({ fd: first })
    : undefined;
  const from = first + Number(inheritance.listens);
  const connections = Array.from(
    { length: inheritance.connections },
    (_, i) => maker.fromDescriptor(from + i),
  );
  return { state, connections, listener, port: inheritance.port };
}

async function predecessorEnds(): Promise<void> {
  const control = new Socket({ fd: CONTROL_FD });
  await new Promise<void>((resolve) => {
    control.once("close", () => resolve());
    control.on("error", () => {});
    control.resume().write("ready\n");
  });
}
