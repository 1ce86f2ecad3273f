import type { ErrnoTable } from "./_errno.ts";

/** The system that this program runs on, as far as error numbers differ. */
export function hostErrnoTable(): ErrnoTable {
  // Not only in Deno: Node names its systems almost alike.
  const { Deno: deno, process: node } = globalThis as {
    Deno?: { build?: { os?: string } };
    process?: { platform?: string };
  };
  const name = deno?.build?.os ?? node?.platform ?? "linux";
  if (name === "windows" || name === "win32") return "windows";
  const linux = ["linux", "android"].includes(name);
  return linux ? "linux" : "bsd";
}
