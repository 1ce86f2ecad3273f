import { BlockList, isIPv4 } from "node:net";

/** Whether an address is in one of the ranges of an outcome's `except`. */
export function isWithinTexts(
  address: string,
  texts: readonly string[],
): boolean {
  const list = new BlockList();
  for (const text of texts) {
    if (text.startsWith("and ")) return true; // It may be among these.
    const [from = "", to] = text.split("-");
    const [net = "", length] = from.split("/");
    const kind = isIPv4(net) ? "ipv4" : "ipv6";
    if (to !== undefined) list.addRange(net, to, kind);
    else if (length !== undefined) list.addSubnet(net, Number(length), kind);
    else list.addAddress(net, kind);
  }
  return list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}
