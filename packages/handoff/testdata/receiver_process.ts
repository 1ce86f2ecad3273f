/** Starts the receivers of `receivers/` for tests and the bench. */
import { toText } from "./text.ts";

/** The languages that a receiver is written in. */
export type Language = "deno" | "python" | "node" | "c" | "go";

/** A receiver that runs. */
export interface ReceiverProcess extends AsyncDisposable {
  readonly path: string;
  readonly pid: number;
  kill(signal: Deno.Signal): void;
  readonly status: Promise<Deno.CommandStatus>;
}

const here = (name: string): string =>
  new URL(`../receivers/${name}`, import.meta.url).pathname;

async function commandOf(
  language: Language,
  folder: string,
): Promise<[string, ...string[]]> {
  const build = async (command: string, args: string[]): Promise<void> => {
    const { success, stderr } = await new Deno.Command(command, {
      args,
      env: { GOCACHE: `${folder}/cache`, GO111MODULE: "off" },
    }).output();
    if (!success) throw new Error(toText(stderr));
  };
  switch (language) {
    case "deno":
      return [Deno.execPath(), "run", "-A", "--no-check", here("receive.ts")];
    case "python":
      return ["python3", here("receive.py")];
    case "node":
      return ["node", here("receive.cjs")];
    case "c":
      await build("gcc", [
        "-Wall",
        "-Werror",
        "-O2",
        "-o",
        `${folder}/c`,
        here("receive.c"),
      ]);
      return [`${folder}/c`];
    case "go":
      await build("go", ["build", "-o", `${folder}/go`, here("receive.go")]);
      return [`${folder}/go`];
  }
}

/** Starts one; resolves when it listens. */
export async function startReceiver(
  language: Language,
  token: string = "",
): Promise<ReceiverProcess> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o700);
  const path = `${folder}/sockets`;
  const [command, ...args] = await commandOf(language, folder);
  const child = new Deno.Command(command, {
    args: [...args, path, ...(token === "" ? [] : [token])],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  if (value === undefined || !toText(value).startsWith("listening")) {
    throw new Error(`The ${language} receiver does not listen`);
  }
  reader.releaseLock();
  const kill = (signal: Deno.Signal): void => {
    try {
      child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended.
    }
  };
  return {
    path,
    pid: child.pid,
    kill,
    status: child.status,
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await child.status;
      await child.stdout.cancel();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
