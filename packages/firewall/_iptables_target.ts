const meta = (key: string) => ({ meta: { key } });
const CONNECTION = { ct: { key: "mark" } };

const TERMINAL: Readonly<Record<string, unknown>> = {
  ACCEPT: { accept: null },
  DROP: { drop: null },
  REJECT: { reject: null },
  RETURN: { return: null },
  // The packet, or its address, is another one after these.
  ...{ DNAT: { dnat: null }, SNAT: { snat: null } },
  ...{ MASQUERADE: { masquerade: null }, REDIRECT: { redirect: null } },
  ...{ TPROXY: { tproxy: null }, NETMAP: { dnat: null } },
  ...{ NOTRACK: { notrack: null }, SYNPROXY: { synproxy: null } },
};
/** Targets after which the next rule is asked, and the packet is the same. */
const PASSING = new Set([
  ...["LOG", "NFLOG", "ULOG", "TRACE", "AUDIT", "CHECKSUM", "CLASSIFY"],
  ...["TCPMSS", "TCPOPTSTRIP", "TOS", "DSCP", "TTL", "HL", "SET", "IDLETIMER"],
  ...["LED", "RATEEST", "SECMARK", "CONNSECMARK", "HMARK", "ECN"],
]);

/** What becomes of a packet for which a rule holds, in the words of nft. */
export function translateTarget(
  option: "-j" | "-g",
  target: string,
  words: readonly string[],
): readonly unknown[] {
  if (option === "-g") return [{ goto: { target } }];
  const terminal = TERMINAL[target];
  if (terminal !== undefined) return [terminal];
  if (target === "MARK" || target === "CONNMARK") {
    return [setMark(target, words)];
  }
  if (target === "CT") {
    return words.includes("--notrack") ? [{ notrack: null }] : [];
  }
  if (target === "NFQUEUE" || target === "QUEUE") return [{ queue: null }];
  return PASSING.has(target) ? [] : [{ jump: { target } }];
}

function setMark(
  target: "MARK" | "CONNMARK",
  words: readonly string[],
): unknown {
  const own = target === "MARK" ? meta("mark") : CONNECTION;
  const other = target === "MARK" ? CONNECTION : meta("mark");
  const options = new Map(words.map((word, i) => [word, words[i + 1] ?? ""]));
  const set = options.get("--set-xmark");
  if (set !== undefined) {
    // Bits of the mask are zeroed, then the value is XORed in.
    const [value = "", mask = "0xffffffff"] = set.split("/");
    const kept = ~Number(mask) >>> 0;
    const xor = { "^": [{ "&": [own, kept] }, Number(value)] };
    return { mangle: { key: own, value: xor } };
  }
  const whole = ![...options].some(([name, value]) =>
    name.endsWith("mask") && value !== "0xffffffff"
  );
  const restores = options.has("--restore-mark");
  const key = restores ? other : own;
  if (!whole || target === "MARK") return { mangle: { key, value: null } };
  if (options.has("--save-mark")) return { mangle: { key: own, value: other } };
  return { mangle: { key, value: restores ? own : null } };
}
