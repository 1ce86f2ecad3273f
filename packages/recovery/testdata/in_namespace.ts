/** Runs a driver of this folder in a network namespace of its own. For tests. */
import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";

/**
 * Fails with what the driver said when it did not hold. The script comes first:
 * mounts are its own, too.
 */
export async function runInNamespace(
  driver: string,
  script: string = "",
): Promise<void> {
  const { success, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["-Urnm", "sh", "-ec", `${script}\nexec "$@"`, "sh"],
      ...[Deno.execPath(), "run", "--no-prompt", "--no-check"],
      ...["--allow-net", "--allow-run", "--allow-read"],
      fileURLToPath(new URL(driver, import.meta.url)),
    ],
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** Runs a shell script, which must succeed. */
export async function sh(script: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-ec", script],
    ...{ stdout: "null", stderr: "piped" },
  }).output();
  if (!success) {
    throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
  }
}
