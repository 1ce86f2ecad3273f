import { assert } from "@std/assert";

/** Runs a script as root of namespaces of its own; gives its lines. */
export async function inNetns(
  script: string,
  ...args: string[]
): Promise<unknown[]> {
  const path = new URL(`./${script}`, import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      "-Urnm",
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      path,
      ...args,
    ],
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout).trim().split("\n").map((l) => JSON.parse(l));
}

/** Runs several at once, as many as help; gives their lines in order. */
export async function inNetnsAll(
  jobs: readonly (readonly [script: string, ...args: string[]])[],
): Promise<unknown[][]> {
  const results: unknown[][] = [];
  let next = 0;
  const work = async () => {
    for (let i = next++; i < jobs.length; i = next++) {
      const [script, ...args] = jobs[i]!;
      results[i] = await inNetns(script, ...args);
    }
  };
  // Most of their time goes by in waiting.
  await Promise.all([work(), work(), work()]);
  return results;
}
