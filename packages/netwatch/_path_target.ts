import { familyOf } from "./_address.ts";
import type { Path, PathEnd, PathTarget } from "./path.ts";

/** The address texts of a target. */
export function toPath({ localAddr, remoteAddr }: PathTarget): Path {
  const local = addressOf(localAddr);
  if (local === undefined) {
    throw new TypeError(
      `Cannot track a path: "${
        show(localAddr)
      }" is no IP address: pass a TCP connection or an address text`,
    );
  }
  const remote = remoteAddr === undefined ? undefined : addressOf(remoteAddr);
  return {
    localAddr: local,
    ...(remote !== undefined && { remoteAddr: remote }),
  };
}

function addressOf(end: PathEnd): string | undefined {
  const told = typeof end === "string"
    ? end
    : "hostname" in end
    ? end.hostname
    : "";
  const bare = told.replace(/^\[(.*)\]$/, "$1");
  return familyOf(bare) === undefined ? undefined : bare;
}

function show(end: PathEnd): string {
  if (typeof end === "string") return end;
  return "hostname" in end ? end.hostname : end.transport;
}
