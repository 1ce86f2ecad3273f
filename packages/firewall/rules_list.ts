import { cleanUp, look, takeBack } from "./_apply.ts";
import { readLinux } from "./_linux_facts.ts";
import { ourRules, parseMark, richPriority } from "./_mark.ts";
import { defaultLedger, Ledger, type LedgerRecord } from "./_ledger.ts";
import { tableOf } from "./_owner.ts";
import { openWorkplace, type WorkOptions } from "./apply_plan.ts";
import type { LayerName } from "./outcome.ts";
import { checkTag } from "./plan_access.ts";

/** A rule of Holdfast in some firewall. */
export interface OwnedRule {
  /** Whose it is. */
  readonly tag: string;
  /** Of which lease. */
  readonly id: string;
  /** The firewall that has it. */
  readonly layer: LayerName;
  /** Where in it: a table and a chain, a zone, or a file. */
  readonly where: string;
  /** What it says, as far as the layer shows it. */
  readonly text: string;
  /** Whether a living program holds its lease; undefined without a ledger. */
  readonly held: boolean | undefined;
}

/**
 * Lists the rules that Holdfast has put into the firewalls of this machine, of
 * all programs. It needs the rights to read them, and changes nothing.
 *
 * ```ts
 * import { listRules } from "@holdfast/firewall";
 * import { assert } from "@std/assert";
 *
 * for (const { tag, where } of await listRules({ ledger: "state" })) {
 *   assert(tag !== "" && where !== "");
 * }
 * ```
 *
 * @throws {FirewallError} `firewall/bad-ruleset` or `firewall/no-ledger`.
 */
export async function listRules(
  options: WorkOptions = {},
): Promise<readonly OwnedRule[]> {
  options.signal?.throwIfAborted();
  if ((options.system ?? Deno.build.os) !== "linux") return [];
  const ledger = new Ledger(options.ledger ?? defaultLedger());
  const records = await ledger.read();
  const { ruleset, ufwTuples, firewalld } = await readLinux(options);
  const held = (id: string) =>
    records.find(({ entry }) => entry.id === id)?.held;
  const kernel = ruleset.type === "known" ? ourRules(ruleset.value) : [];
  const rich = firewalld.type === "known" ? firewalld.value?.rich ?? [] : [];
  return [
    ...kernel.map(({ chain, rule, tag, id }): OwnedRule => ({
      ...{ tag, id, held: held(id) },
      layer: chain.legacy
        ? "iptables-legacy"
        : rule.text === undefined
        ? "nftables"
        : "iptables-nft",
      where: `${tableOf(chain)} ${chain.name}`,
      text: rule.text ?? JSON.stringify(rule.expr),
    })),
    ...ufwTuples.flatMap(({ words, comment }): OwnedRule[] => {
      const mark = parseMark(comment);
      return mark === undefined ? [] : [{
        ...{ ...mark, held: held(mark.id), layer: "ufw" as const },
        ...{ where: "user.rules", text: words.join(" ") },
      }];
    }),
    ...rich.flatMap(({ zone, rule }): OwnedRule[] => {
      const record = records.find(({ entry }) => isRichOf(rule, entry.id));
      return record === undefined ? [] : [{
        ...{ tag: record.entry.tag, id: record.entry.id, held: record.held },
        ...{ layer: "firewalld" as const, where: `zone ${zone}`, text: rule },
      }];
    }),
  ];
}

function isRichOf(rule: string, id: string): boolean {
  return [richPriority(id, 0), richPriority(id, 1)].some((priority) =>
    rule.startsWith(`rule priority="${priority}" `)
  );
}

/**
 * Takes back all rules with a tag, of whichever program, and gives the ids of
 * their leases. A program that still holds one will put it back: end it first.
 *
 * ```ts
 * import { revertAll } from "@holdfast/firewall";
 *
 * async function cleanUp() {
 *   return await revertAll("game", { ledger: "state" });
 * }
 * ```
 *
 * @throws {TypeError} When the tag is wrong.
 * @throws {FirewallError} with one of the codes of {@linkcode FirewallErrorCode}.
 */
export async function revertAll(
  tag: string,
  options: WorkOptions = {},
): Promise<readonly string[]> {
  checkTag(tag);
  return await revertWhere((other) => other.tag === tag, options);
}

/** Takes back the leases that are meant, and forgets them. */
export async function revertWhere(
  isMeant: (lease: { tag: string; id: string; port: number }) => boolean,
  options: WorkOptions,
): Promise<readonly string[]> {
  const { place, release } = await openWorkplace(options);
  try {
    return await place.ledger.exclusive(async () => {
      const records = await place.ledger.read();
      const facts = await look(place);
      const ids = new Set<string>();
      for (const { entry } of records) {
        const { tag, id, request } = entry;
        if (isMeant({ tag, id, port: request.port })) ids.add(id);
      }
      const known = await listRules({ ...options, run: place.run });
      for (const { tag, id, text } of known) {
        const [, port] = /(?:dport |"right":|port="|(?:tcp|udp) )(\d+)/
          .exec(text) ?? [];
        if (isMeant({ tag, id, port: Number(port) })) ids.add(id);
      }
      if (facts.ruleset.type !== "known" && ids.size === 0) return [];
      await takeBack(place, [...ids], records);
      await forget(place.ledger, [...ids], records);
      return [...ids];
    });
  } finally {
    await release();
  }
}

async function forget(
  ledger: Ledger,
  ids: readonly string[],
  records: readonly LedgerRecord[],
): Promise<void> {
  for (const { entry } of records) {
    if (!ids.includes(entry.id)) continue;
    await (await ledger.adopt(entry.id))?.remove();
  }
}

/**
 * Takes back what programs that were killed, or leases that have run out, have
 * left, and gives their ids. `applyPlan` does it by itself before it opens
 * anything.
 *
 * ```ts
 * import { reconcile } from "@holdfast/firewall";
 *
 * async function atStart() {
 *   return await reconcile({ ledger: "state" });
 * }
 * ```
 *
 * @throws {FirewallError} with one of the codes of {@linkcode FirewallErrorCode}.
 */
export async function reconcile(
  options: WorkOptions = {},
): Promise<readonly string[]> {
  const { place, release } = await openWorkplace(options);
  try {
    const { ledger } = place;
    return await ledger.exclusive(async () =>
      await cleanUp(place, await look(place))
    );
  } finally {
    await release();
  }
}
