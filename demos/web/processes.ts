/** Whether processes run, by the system's own word. */
import process from "node:process";

/** Whether a process of that id is there; one that is dead may be, for a while. */
function isThere(pid: number): boolean {
  try {
    // Signal 0 asks, and does nothing.
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * What `ps` says of a process, such as `S`, or `T` for a stopped one; empty
 * when there is none, and nothing where there is no `ps`.
 */
export async function stateOf(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "state=", "-p", String(pid)],
      stdin: "null",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return undefined;
  }
}

/**
 * Whether a process has ended. One that was nobody's child any more stays in
 * the table, as a zombie, until the first process of the system takes note.
 */
export async function isGone(pid: number): Promise<boolean> {
  if (!isThere(pid)) return true;
  return (await stateOf(pid))?.startsWith("Z") ?? false;
}
