/** What ufw is told to do, from its own files. */
export interface UfwPolicy {
  /** The default for what comes in; undefined when it could not be read. */
  readonly input: "accept" | "drop" | undefined;
}

/** One rule of `/etc/ufw/user.rules` or `user6.rules`. */
export interface UfwTuple {
  /** The words before the comment, such as `allow tcp 80 … in_eth0`. */
  readonly words: readonly string[];
  readonly comment: string;
}

/** The default policy in `/etc/default/ufw`. */
export function parseUfwDefaults(text: string): "accept" | "drop" | undefined {
  const value = /^\s*DEFAULT_INPUT_POLICY\s*=\s*["']?(\w+)["']?\s*$/m
    .exec(text)?.[1]?.toUpperCase();
  if (value === "ACCEPT") return "accept";
  return value === "DROP" || value === "REJECT" ? "drop" : undefined;
}

/** Rules with a comment; ufw writes it in hexadecimal, so nothing hides in it. */
export function parseUfwTuples(text: string): readonly UfwTuple[] {
  return text.split("\n").flatMap((line) => {
    const [, fields, hex] = /^### tuple ### (.*) comment=([0-9a-f]+)\s*$/
      .exec(line) ?? [];
    if (fields === undefined || hex === undefined) return [];
    const bytes = Uint8Array.from(
      hex.match(/../g) ?? [],
      (pair) => parseInt(pair, 16),
    );
    const comment = new TextDecoder().decode(bytes);
    return [{ words: fields.trim().split(/\s+/), comment }];
  });
}

/** The words of ufw that take a rule of ours back; undefined for another's. */
export function deleteUfw(
  { words, comment }: UfwTuple,
): readonly string[] | undefined {
  const [action, protocol, port, to, sport, from, direction] = words;
  if (action !== "allow" || words.length !== 7) return undefined;
  if (protocol !== "tcp" && protocol !== "udp") return undefined;
  if (!/^\d{1,5}$/.test(port!) || sport !== "any") return undefined;
  const [, link] = /^in(?:_([A-Za-z0-9_.-]{1,15}))?$/.exec(direction!) ?? [];
  if (direction !== "in" && link === undefined) return undefined;
  if (!isAddress(from!) || !isAddress(to!)) return undefined;
  return [
    ...["delete", "allow"],
    ...(link === undefined ? [] : ["in", "on", link]),
    ...["proto", protocol, "from", from!, "to", to!, "port", port!],
    ...["comment", comment],
  ];
}

/** Whether a rule is what `ufw allow …` with these words makes. */
export function isMadeBy(
  { words: tuple }: UfwTuple,
  argv: readonly string[],
): boolean {
  const after = (word: string) => argv[argv.indexOf(word) + 1] ?? "";
  const link = argv.includes("on") ? `in_${after("on")}` : "in";
  const isAt = (word: string, address: string) =>
    word === "any" ? /^(0\.0\.0\.0|::)\/0$/.test(address) : word === address;
  return tuple[0] === "allow" && tuple[1] === after("proto") &&
    tuple[2] === after("port") && tuple.at(-1) === link &&
    isAt(after("from"), tuple[5] ?? "") && isAt(after("to"), tuple[3] ?? "");
}

function isAddress(text: string): boolean {
  return /^[0-9a-fA-F.:]+(\/\d{1,3})?$/.test(text);
}
