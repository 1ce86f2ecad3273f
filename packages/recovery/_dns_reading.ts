/**
 * What a message from a name server says. Pure: `dns-packet` has decoded it,
 * and nothing in it is trusted.
 */
import { isIPv4, isIPv6 } from "node:net";
import type { DnsAnswer, RecordType, ResolvedAddress } from "./_dns_types.ts";

/** How long a record is kept at the most, in seconds. */
const TTL_MAX_SECONDS = 86_400;
/** Records of one answer that are looked at. */
const RECORDS_MAX = 64;
const RCODE_BITS = 0x0f;
/** FORMERR, SERVFAIL, NOTIMP, REFUSED. */
const HEAD_ALONE: ReadonlySet<number> = new Set([1, 2, 4, 5]);
const RCODES: readonly DnsAnswer["kind"][] = [
  "addresses",
  "malformed", // FORMERR
  "server-failure",
  "no-such-name",
  "malformed", // NOTIMP
  "refused",
];

/** The question that an answer must be to. */
export interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: RecordType;
  /** Whether 127.0.0.0/8 and ::1 are taken for an answer. */
  readonly loopback: boolean;
}

/** Whether a decoded message answers this very question. */
export function isAnswerTo(message: unknown, question: Question): boolean {
  const { id, type, flags, questions } = record(message);
  if (id !== question.id || type !== "response") return false;
  if (typeof flags !== "number") return false;
  const [asked] = list(questions).map(record);
  // Who fails may send a head alone: it has no more to say.
  if (asked === undefined) return HEAD_ALONE.has(flags & RCODE_BITS);
  return asked.type === question.type &&
    sameName(asked.name, question.name);
}

/** Whether it says that the rest came too late for a datagram. */
export function isTruncated(message: unknown): boolean {
  return record(message).flag_tc === true;
}

/** Whether it may have failed for what is newer than itself, RFC 6891 §7. */
export function isNotUnderstood(message: unknown): boolean {
  return [1, 4].includes(Number(record(message).flags) & RCODE_BITS);
}

/** Reads a message that {@linkcode isAnswerTo} has let through. */
export function readAnswer(message: unknown, question: Question): DnsAnswer {
  const { flags, answers } = record(message);
  const kind = RCODES[Number(flags) & RCODE_BITS] ?? "server-failure";
  if (kind === "no-such-name") return { kind };
  if (kind !== "addresses") {
    return { kind: kind as "malformed" | "refused" | "server-failure" };
  }
  const rows = list(answers).slice(0, RECORDS_MAX).map(record);
  const names = namesOf(question.name, rows);
  const addresses: ResolvedAddress[] = [];
  for (const { type, name, data, ttl } of rows) {
    if (type !== question.type || !names.has(plainName(name))) continue;
    const right = question.type === "A" ? isIPv4 : isIPv6;
    if (typeof data !== "string" || !right(data)) continue;
    addresses.push({
      address: data,
      family: question.type === "A" ? "v4" : "v6",
      ttlSeconds: Math.min(TTL_MAX_SECONDS, Math.max(0, Number(ttl) || 0)),
    });
  }
  const nobody = addresses.find(({ address }) =>
    isNobody(address) || !question.loopback && isLoopback(address)
  );
  if (nobody !== undefined) {
    return { kind: "sinkhole", address: nobody.address };
  }
  // What was cut off may hold some.
  if (addresses.length === 0 && isTruncated(message)) {
    return { kind: "server-failure" };
  }
  return addresses.length === 0
    ? { kind: "no-data" }
    : { kind: "addresses", addresses };
}

/** IPv6 first, then the families in turn (RFC 8305 §4). */
export function interleave(
  lists: readonly (readonly ResolvedAddress[])[],
): ResolvedAddress[] {
  const flat = lists.flat();
  const six = flat.filter(({ family }) => family === "v6");
  const four = flat.filter(({ family }) => family === "v4");
  return Array.from(
    { length: Math.max(six.length, four.length) },
    (_, i) => [six[i], four[i]],
  ).flat().filter((address) => address !== undefined);
}

/** The name and every alias that stands for it, in lower case. */
function namesOf(
  name: string,
  rows: readonly Record<string, unknown>[],
): ReadonlySet<string> {
  const names = new Set([plainName(name)]);
  // Aliases mostly come in order; as many rounds as rows also take the rest.
  for (let round = 0, size = 0; round < rows.length; round++) {
    if (names.size === size) break;
    size = names.size;
    for (const row of rows) {
      if (row.type === "CNAME" && names.has(plainName(row.name))) {
        names.add(plainName(row.data));
      }
    }
  }
  return names;
}

/** 0.0.0.0/8 and `::` are nobody's, RFC 1122 §3.2.1.3 and RFC 4291 §2.5.2. */
function isNobody(address: string): boolean {
  return address.startsWith("0.") || /^[0:]+$/.test(address);
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || /^[0:]+:0*1$/.test(address) ||
    /^::ffff:(?:127|0)\./i.test(address);
}

function sameName(a: unknown, b: string): boolean {
  return plainName(a) === plainName(b);
}

function plainName(name: unknown): string {
  return typeof name === "string" ? name.toLowerCase().replace(/\.$/, "") : "";
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null
    ? value as Record<string, unknown>
    : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
