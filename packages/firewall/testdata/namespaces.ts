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
