/** The command line of the next process: the same again, where it is known. */
import { PeerError } from "./errors.ts";
import type { UpgradeCommand } from "./serve_options.ts";

/**
 * What to start.
 *
 * @throws {PeerError} `peer/no-upgrade` when no arguments were given, and those
 *   of this process cannot be told.
 */
export function upgradeArguments(
  { command = Deno.execPath(), args }: UpgradeCommand,
): { readonly command: string; readonly args: readonly string[] } {
  return { command, args: args ?? ownArguments() };
}

// Deno tells a program its own arguments, and not those before it; and lets
// nobody read this file who may not do all things.
function ownArguments(): readonly string[] {
  const path = `/proc/${Deno.pid}/cmdline`;
  try {
    return split(Deno.readTextFileSync(path));
  } catch (cause) {
    try {
      const command = new Deno.Command("cat", {
        ...{ args: [path], stderr: "null" },
      });
      const { success, stdout } = command.outputSync();
      if (success) return split(new TextDecoder().decode(stdout));
    } catch {
      // Not permitted, or no such program.
    }
    throw new PeerError(
      "peer/no-upgrade",
      "Cannot replace this process: its own arguments cannot be read: run with --allow-run=cat on Linux, or name them in the option upgrade",
      { cause },
    );
  }
}

function split(text: string): readonly string[] {
  return text.split("\0").slice(1, -1);
}
