/** What senders throw. */
import type { DetachedSocket } from "./detached_socket.ts";
import { HandoffError, type HandoffErrorCode } from "./error.ts";

/** A socket that was not taken, and stays here. */
export function sendError(
  code: string,
  why: string,
  sockets: readonly DetachedSocket[],
  uncertain: boolean = false,
): HandoffError {
  return new HandoffError(
    knownCode(code),
    `Cannot send a socket: the receiver did not take it: ${why}${
      sockets.length === 0
        ? ""
        : `: the socket is still open here${
          uncertain ? ", and perhaps there too" : ""
        }; send it again, adopt it or close it`
    }`,
    { sockets, uncertain },
  );
}

const KNOWN: readonly HandoffErrorCode[] = [
  "handoff/bad-bytes",
  "handoff/not-trusted",
  "handoff/peer-gone",
  "handoff/quota",
  "handoff/surprise",
  "handoff/timed-out",
  "handoff/refused",
];

/** Codes come from the other process, and need not be ours. */
function knownCode(code: string): HandoffErrorCode {
  return KNOWN.find((one) => one === code) ?? "handoff/refused";
}
