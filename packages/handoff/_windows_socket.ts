/**
 * Handing a socket to another process on Windows: WSADuplicateSocketW gives a
 * structure for one process, which goes to it by any way, and WSASocketW makes a
 * socket of it there. Pure layouts and the signatures of the calls, written
 * from winsock2.h; **never run on Windows**, and used by nothing yet: Deno has
 * no way to take a listening `SOCKET` over (`fdForIpc` gives -1 there).
 */

/** Bytes of `WSAPROTOCOL_INFOW`. */
export const PROTOCOL_INFO_BYTES = 628;

/** Where its fields are. */
export const PROTOCOL_INFO: Readonly<
  Record<"family" | "socketType" | "protocol" | "catalogEntry", number>
> = {
  // Five DWORDs of service flags, a GUID of 16 bytes, then:
  catalogEntry: 36,
  // dwCatalogEntryId 4, WSAPROTOCOLCHAIN (int + 7 DWORDs) 32, iVersion 4.
  family: 76,
  // iMaxSockAddr 4, iMinSockAddr 4.
  socketType: 88,
  protocol: 92,
};

/** What is said of a duplicated socket. */
export interface ProtocolInfo {
  readonly family: "ipv4" | "ipv6";
  readonly type: "stream" | "datagram";
}

const AF_INET = 2, AF_INET6 = 23;
const SOCK_STREAM = 1, SOCK_DGRAM = 2;
const IPPROTO_TCP = 6, IPPROTO_UDP = 17;

/** `FROM_PROTOCOL_INFO`, given to WSASocketW for family, type and protocol. */
export const FROM_PROTOCOL_INFO = -1;
/** `WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT`. */
export const SOCKET_FLAGS: number = 0x01 | 0x80;

/** The calls of ws2_32.dll, for `Deno.dlopen`. */
export const WS2_32: Readonly<
  Record<
    string,
    { readonly parameters: readonly string[]; readonly result: string }
  >
> = {
  // SOCKET, DWORD process id, LPWSAPROTOCOL_INFOW
  WSADuplicateSocketW: {
    parameters: ["usize", "u32", "buffer"],
    result: "i32",
  },
  // int, int, int, LPWSAPROTOCOL_INFOW, GROUP, DWORD
  WSASocketW: {
    parameters: ["i32", "i32", "i32", "buffer", "u32", "u32"],
    result: "usize",
  },
  closesocket: { parameters: ["usize"], result: "i32" },
  WSAGetLastError: { parameters: [], result: "i32" },
};

/**
 * Reads what came from another process, before a socket is made of it.
 *
 * @throws {RangeError} When it is no TCP or UDP socket's.
 */
export function parseProtocolInfo(bytes: Uint8Array): ProtocolInfo {
  if (bytes.byteLength !== PROTOCOL_INFO_BYTES) {
    throw new RangeError(
      `Cannot take a socket over: WSAPROTOCOL_INFOW has ${PROTOCOL_INFO_BYTES} bytes: ${bytes.byteLength} came`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const at = (field: keyof typeof PROTOCOL_INFO): number =>
    view.getInt32(PROTOCOL_INFO[field], true);
  const family = at("family"), type = at("socketType");
  const protocol = at("protocol");
  const known = (family === AF_INET || family === AF_INET6) &&
    (type === SOCK_STREAM && protocol === IPPROTO_TCP ||
      type === SOCK_DGRAM && protocol === IPPROTO_UDP);
  if (!known) {
    throw new RangeError(
      `Cannot take a socket over: family ${family}, type ${type} and protocol ${protocol} are no TCP or UDP socket's: send one`,
    );
  }
  return {
    family: family === AF_INET ? "ipv4" : "ipv6",
    type: type === SOCK_STREAM ? "stream" : "datagram",
  };
}
