/** What a server's refusal to resume means for the client's session. */
import type { Refused } from "./_handshake_client.ts";
import { REFUSAL } from "./_records.ts";
import type { ResumeErrorCode } from "./errors.ts";

/** What is to be done. */
export type AfterRefusal =
  | {
    /** Try again, with a newer epoch than this. */
    readonly kind: "again";
    readonly epoch: number;
  }
  | {
    /** The peer ended it, when it had received up to this mark. */
    readonly kind: "gone";
    readonly mark: number;
  }
  | {
    readonly kind: "lose";
    readonly code: ResumeErrorCode;
    readonly why: string;
  };

/** Reads an answer. */
export function afterRefusal({ refusal, value }: Refused): AfterRefusal {
  switch (refusal) {
    case REFUSAL.stale:
      return { kind: "again", epoch: value };
    case REFUSAL.busy:
      return { kind: "again", epoch: 0 };
    case REFUSAL.gone:
      return { kind: "gone", mark: value };
    case REFUSAL.denied:
      return lose("resume/denied", "the server does not allow it any more");
    case REFUSAL.version:
      return lose("resume/version", "the server speaks another version now");
    default:
      return lose(
        "resume/refused",
        "the server does not know it: it restarted without its sessions, or the time to live is over",
      );
  }
}

function lose(code: ResumeErrorCode, why: string): AfterRefusal {
  return { kind: "lose", code, why };
}
