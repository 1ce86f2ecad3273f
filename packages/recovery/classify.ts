import { errnoOf, type ErrnoTable } from "./_errno.ts";
import { hostErrnoTable } from "./_platform.ts";
import {
  BY_CODE,
  BY_NAME,
  BY_TEXT,
  BY_WEAK_NAME,
  BY_WEAK_TEXT,
  type Meaning,
  UNKNOWN,
} from "./_rules.ts";
import type { Action, Verdict } from "./verdict.ts";

/** How many errors of a chain are looked at: hostile chains have no end. */
const ERRORS_MAX = 64;
/** How much of a message is read: real ones are short. */
const TEXT_MAX = 4096;

/** Which of several verdicts on siblings counts: the most hopeful one. */
const HOPE: Readonly<Record<Action, number>> = {
  "retry-now": 4,
  "wait": 3,
  "retry-after-change": 2,
  "give-up": 1,
  "bug": 0,
};

/** Options for {@linkcode classify}. */
export interface ClassifyOptions {
  /**
   * Whose error numbers `(os error N)` are meant.
   *
   * @default {the system that the program runs on}
   */
  readonly system?: ErrnoTable | undefined;
}

/**
 * Judges an error: is trying again of use, and when?
 *
 * It reads, in this order, the `code`, the `(os error N)` in the message, and
 * known texts of resolvers and TLS; first of the error itself, then of its
 * `cause` and `errors`. It never goes by the class where anything else speaks:
 * a blackhole route is a `TypeError`, too many open files a plain `Error`.
 * Of several errors side by side (an `AggregateError`: one for each address)
 * the most hopeful counts. Any value is taken, and nothing is thrown.
 *
 * What it cannot know: the operation. `EACCES` is judged as of a connect,
 * where a route or firewall forbids; on a listen it means a privileged port.
 *
 * ```ts
 * import { classify } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = closed.addr;
 * closed.close();
 * try {
 *   await fetch(`http://127.0.0.1:${port}/`);
 * } catch (error) {
 *   const { action, failure, code } = classify(error);
 *   assertEquals({ action, failure, code }, {
 *     action: "wait",
 *     failure: "refused",
 *     code: "ECONNREFUSED",
 *   });
 * }
 * ```
 */
export function classify(
  error: unknown,
  options: ClassifyOptions = {},
): Verdict {
  const walk: Walk = {
    system: options.system ?? hostErrnoTable(),
    left: ERRORS_MAX,
    seen: new Set(),
    firstCode: undefined,
  };
  const { meaning, code } = judge(error, walk) ?? {
    meaning: UNKNOWN,
    code: undefined,
  };
  const [action, failure, why] = meaning;
  return { action, failure, code: code ?? walk.firstCode, why };
}

interface Walk {
  readonly system: ErrnoTable;
  readonly seen: Set<unknown>;
  left: number;
  firstCode: string | undefined;
}

interface Judgement {
  readonly meaning: Meaning;
  readonly code: string | undefined;
  /** Nothing certain: what stands below it counts more. */
  readonly weak: boolean;
}

function judge(error: unknown, walk: Walk): Judgement | undefined {
  if (walk.left-- <= 0 || walk.seen.has(error)) return undefined;
  walk.seen.add(error);
  const siblings = children(get(error, "errors"));
  const one = judgeOne(error, walk);
  // The message of several errors may quote any of them.
  const quotes = siblings.length > 0 && string(error, "code") === "" &&
    !BY_NAME.has(string(error, "name"));
  const own = one && quotes ? { ...one, weak: true } : one;
  if (own !== undefined && !own.weak) return own;
  const below = [get(error, "cause"), ...siblings]
    .filter((inner) => inner !== undefined && inner !== null)
    .map((inner) => judge(inner, walk))
    .filter((judgement) => judgement !== undefined);
  // A certain judgement before a weak one, then the more hopeful.
  const rank = ({ weak, meaning }: Judgement) =>
    (weak ? 0 : 10) + HOPE[meaning[0]];
  const best = below.reduce<Judgement | undefined>(
    (a, b) => a === undefined || rank(b) > rank(a) ? b : a,
    undefined,
  );
  if (best !== undefined && (own === undefined || !best.weak)) return best;
  return own;
}

/** The judgement on one error alone. */
function judgeOne(error: unknown, walk: Walk): Judgement | undefined {
  const text = typeof error === "string"
    ? error.slice(0, TEXT_MAX)
    : string(error, "message");
  const rawCode = string(error, "code");
  const code = rawCode === "" ? undefined : rawCode;
  walk.firstCode ??= code;

  // Deno says EINTR for its own cancellation, so this text goes before codes.
  const cancelled = code === "EINTR" && /operation cancell?ed/i.test(text);
  if (code !== undefined && !cancelled) {
    const meaning = forSyscall(code, string(error, "syscall")) ??
      BY_CODE.get(code);
    if (meaning !== undefined) return { meaning, code, weak: false };
  }
  const numbered = errnoOf(text, walk.system);
  const byNumber = numbered === undefined ? undefined : BY_CODE.get(numbered);
  if (byNumber !== undefined) {
    return { meaning: byNumber, code: numbered, weak: false };
  }
  const name = string(error, "name");
  const strong = BY_NAME.get(name) ?? match(BY_TEXT, text);
  if (strong !== undefined) return { meaning: strong, code, weak: false };
  const weak = match(BY_WEAK_TEXT, text) ?? BY_WEAK_NAME.get(name);
  return weak === undefined ? undefined : { meaning: weak, code, weak: true };
}

/** node:dgram in Deno says it of every datagram that the kernel did not take. */
const NOT_SENT: Meaning = [
  "wait",
  undefined,
  "The datagram could not be sent, and node:dgram does not say why",
];

/** Node names the call: there, a port that may not be bound can be told. */
function forSyscall(code: string, syscall: string): Meaning | undefined {
  if (syscall === "send" && code === "UNKNOWN") return NOT_SENT;
  if (syscall !== "listen" && syscall !== "bind") return undefined;
  // For an address that is not there (yet) node:net in Deno says EINVAL.
  if (code === "EINVAL") return BY_CODE.get("EADDRNOTAVAIL");
  if (code !== "EACCES") return undefined;
  return [
    "give-up",
    undefined,
    "The port may not be bound without more rights",
  ];
}

function match(
  rules: readonly (readonly [RegExp, Meaning])[],
  text: string,
): Meaning | undefined {
  return rules.find(([pattern]) => pattern.test(text))?.[1];
}

/** A property of anything: getters and proxies may throw. */
function get(value: unknown, key: string): unknown {
  if (typeof value !== "object" && typeof value !== "function") {
    return undefined;
  }
  try {
    return (value as Record<string, unknown> | null)?.[key];
  } catch {
    return undefined;
  }
}

function string(value: unknown, key: string): string {
  const found = get(value, key);
  return typeof found === "string" ? found.slice(0, TEXT_MAX) : "";
}

function children(value: unknown): readonly unknown[] {
  try {
    return Array.isArray(value) ? value.slice(0, ERRORS_MAX) : [];
  } catch {
    return [];
  }
}
