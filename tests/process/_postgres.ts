/** A real PostgreSQL on loopback, with a cluster of its own in a new folder. */
import { assertEquals } from "@std/assert";
import { answers, freePort, Running } from "./_tunnel_world.ts";

/** See the module's comment. */
export interface Postgres extends AsyncDisposable {
  readonly port: number;
  /** Runs a statement over a connection of its own; gives the bare answer. */
  query(sql: string): Promise<string>;
}

// It refuses to run as root.
const NOBODY = 65_534;

async function programs(): Promise<string> {
  const root = "/usr/lib/postgresql";
  const versions = [];
  for await (const { name } of Deno.readDir(root)) versions.push(name);
  return `${root}/${versions.sort((a, b) => Number(a) - Number(b)).at(-1)}/bin`;
}

/** Starts it; everybody on loopback is let in. */
export async function startPostgres(): Promise<Postgres> {
  const bin = await programs();
  const folder = await Deno.makeTempDir();
  const asRoot = Deno.uid() === 0;
  if (asRoot) await Deno.chown(folder, NOBODY, NOBODY);
  const as = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const { code, stderr } = await new Deno.Command(`${bin}/initdb`, {
    args: [
      ...["-D", `${folder}/data`, "-U", "holdfast", "-A", "trust"],
      ...["--no-sync", "--locale=C", "-E", "UTF8"],
    ],
    cwd: folder,
    stdin: "null",
    ...as,
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const port = freePort();
  const server = new Running(`${bin}/postgres`, [
    ...["-D", `${folder}/data`, "-h", "127.0.0.1", "-p", String(port)],
    ...["-k", folder, "-c", "fsync=off"],
  ], { cwd: folder, ...as });
  await answers(port);
  return {
    port,
    async query(sql) {
      const { stdout, stderr } = await psql(port, ["-c", sql]).output();
      return new TextDecoder().decode(stdout).trim() +
        new TextDecoder().decode(stderr);
    },
    async [Symbol.asyncDispose]() {
      // At once, but its own processes have to end as well.
      Deno.kill(server.child.pid, "SIGQUIT");
      await server.child.status;
      await server[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Its own client, which ends at the first error. */
export function psql(port: number, args: readonly string[] = []): Deno.Command {
  return new Deno.Command("psql", {
    args: [
      ...["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "holdfast"],
      ...["-h", "127.0.0.1", "-p", String(port), "-d", "postgres", ...args],
    ],
    stdin: args.length > 0 ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
}
