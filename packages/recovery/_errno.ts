/**
 * Error numbers by system: Deno writes them into messages as `(os error N)`,
 * and some of them nowhere else (its own table of codes lacks ENETDOWN,
 * EHOSTDOWN, ENFILE, ENOPROTOOPT and others).
 */

/** The systems that number their errors differently. */
export type ErrnoTable = "linux" | "bsd" | "windows";

/** Names with their number on Linux, on macOS and the BSDs, by Winsock. */
const NUMBERS: Readonly<Record<string, readonly [number, number, number]>> = {
  EPERM: [1, 1, NaN],
  ENOENT: [2, 2, 2],
  EINTR: [4, 4, 10004],
  EBADF: [9, 9, 10009],
  EAGAIN: [11, 35, 10035],
  ENOMEM: [12, 12, 8],
  EACCES: [13, 13, 10013],
  EFAULT: [14, 14, 10014],
  EINVAL: [22, 22, 10022],
  ENFILE: [23, 23, NaN],
  EMFILE: [24, 24, 10024],
  EPIPE: [32, 32, 109],
  EPROTO: [71, 100, NaN],
  ENOTSOCK: [88, 38, 10038],
  EMSGSIZE: [90, 40, 10040],
  EPROTOTYPE: [91, 41, 10041],
  ENOPROTOOPT: [92, 42, 10042],
  EAFNOSUPPORT: [97, 47, 10047],
  EADDRINUSE: [98, 48, 10048],
  EADDRNOTAVAIL: [99, 49, 10049],
  ENETDOWN: [100, 50, 10050],
  ENETUNREACH: [101, 51, 10051],
  ENETRESET: [102, 52, 10052],
  ECONNABORTED: [103, 53, 10053],
  ECONNRESET: [104, 54, 10054],
  ENOBUFS: [105, 55, 10055],
  EISCONN: [106, 56, 10056],
  ENOTCONN: [107, 57, 10057],
  ESHUTDOWN: [108, 58, 10058],
  ETIMEDOUT: [110, 60, 10060],
  ECONNREFUSED: [111, 61, 10061],
  EHOSTDOWN: [112, 64, 10064],
  EHOSTUNREACH: [113, 65, 10065],
  EALREADY: [114, 37, 10037],
  EINPROGRESS: [115, 36, 10036],
  ECANCELED: [125, 89, 995],
};

/** Windows numbers beside the Winsock ones: name look-ups, and Win32 errors. */
const WINDOWS_MORE: Readonly<Record<number, string>> = {
  5: "EACCES", // ERROR_ACCESS_DENIED
  64: "ECONNRESET", // ERROR_NETNAME_DELETED
  121: "ETIMEDOUT", // ERROR_SEM_TIMEOUT
  232: "EPIPE", // ERROR_NO_DATA
  1225: "ECONNREFUSED", // ERROR_CONNECTION_REFUSED
  1231: "ENETUNREACH", // ERROR_NETWORK_UNREACHABLE
  1232: "EHOSTUNREACH", // ERROR_HOST_UNREACHABLE
  1236: "ECONNABORTED", // ERROR_CONNECTION_ABORTED
  1460: "ETIMEDOUT", // ERROR_TIMEOUT
  11001: "ENOTFOUND", // WSAHOST_NOT_FOUND
  11002: "EAI_AGAIN", // WSATRY_AGAIN
  11003: "EAI_FAIL", // WSANO_RECOVERY
  11004: "ENODATA", // WSANO_DATA
};

function table(column: 0 | 1 | 2): Map<number, string> {
  const names = new Map<number, string>();
  for (const [name, numbers] of Object.entries(NUMBERS)) {
    if (!Number.isNaN(numbers[column])) names.set(numbers[column], name);
  }
  return names;
}

const TABLES: Readonly<Record<ErrnoTable, ReadonlyMap<number, string>>> = {
  linux: table(0),
  bsd: table(1),
  windows: new Map([
    ...table(2),
    ...Object.entries(WINDOWS_MORE).map(([n, name]) =>
      [Number(n), name] as const
    ),
  ]),
};

/** The POSIX name of an error number; `undefined` where none is known. */
export function errnoName(
  number: number,
  system: ErrnoTable,
): string | undefined {
  return TABLES[system].get(number);
}

/**
 * The name of the error in a text such as `Connection refused (os error 111)`.
 * The last one counts: what stands before may quote an address or a path.
 */
export function errnoOf(text: string, system: ErrnoTable): string | undefined {
  const numbers = [...text.matchAll(/\(os error (\d{1,6})\)/g)];
  const last = numbers.at(-1)?.[1];
  return last === undefined ? undefined : errnoName(Number(last), system);
}
