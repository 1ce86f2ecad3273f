import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  parseProtocolInfo,
  PROTOCOL_INFO,
  PROTOCOL_INFO_BYTES,
} from "./_windows_socket.ts";

/** A structure with the fields that matter, laid out as winsock2.h does. */
function info(family: number, type: number, protocol: number): Uint8Array {
  const bytes = new Uint8Array(PROTOCOL_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x20066, true); // dwServiceFlags1 of MSAFD Tcpip [TCP/IP]
  bytes.set(
    Uint8Array.fromHex("a01a0fe78bab" + "cf118ca300805f48a192"),
    20,
  ); // ProviderId {E70F1AA0-AB8B-11CF-8CA3-00805F48A192}
  view.setUint32(36, 1001, true); // dwCatalogEntryId
  view.setInt32(40, 1, true); // ProtocolChain.ChainLen
  view.setInt32(72, 2, true); // iVersion
  view.setInt32(76, family, true);
  view.setInt32(80, 16, true); // iMaxSockAddr
  view.setInt32(84, 16, true); // iMinSockAddr
  view.setInt32(88, type, true);
  view.setInt32(92, protocol, true);
  return bytes;
}

Deno.test("WSAPROTOCOL_INFOW is read by the layout of winsock2.h", () => {
  // 5 DWORDs, a GUID, a DWORD, the chain of 32 bytes, and an int come before.
  assertEquals(PROTOCOL_INFO.family, 5 * 4 + 16 + 4 + 32 + 4);
  // 16 fields of 4 bytes and so on, then szProtocol: 256 WCHARs.
  assertEquals(PROTOCOL_INFO_BYTES, 116 + 256 * 2);
  assertEquals(parseProtocolInfo(info(2, 1, 6)), {
    family: "ipv4",
    type: "stream",
  });
  assertEquals(parseProtocolInfo(info(23, 2, 17)), {
    family: "ipv6",
    type: "datagram",
  });
  assertThrows(() => parseProtocolInfo(info(1, 1, 6)), RangeError, "family 1");
  assertThrows(() => parseProtocolInfo(info(2, 1, 17)), RangeError, "17");
  assertThrows(() => parseProtocolInfo(new Uint8Array(9)), RangeError, "628");
});

Deno.test("property: any bytes from another process are read or refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
    try {
      parseProtocolInfo(bytes);
    } catch (error) {
      assertEquals(error instanceof RangeError, true);
    }
  }));
});
