import { assertEquals, assertThrows } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import fc from "fast-check";
import {
  controlSpace,
  DARWIN,
  LINUX,
  readMsghdr,
  readRights,
  writeMsghdr,
  writeRights,
} from "./_libc_layout.ts";
import { parseSockaddr, SOCKADDR_BYTES, unixSockaddr } from "./_sockaddr.ts";

const FIELDS = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#define P(name, value) printf("%s %lld\\n", name, (long long)(value))
int main(void) {
  P("bytes", sizeof(struct msghdr)); P("name", offsetof(struct msghdr, msg_name));
  P("namelen", offsetof(struct msghdr, msg_namelen)); P("iov", offsetof(struct msghdr, msg_iov));
  P("iovlen", offsetof(struct msghdr, msg_iovlen)); P("control", offsetof(struct msghdr, msg_control));
  P("controllen", offsetof(struct msghdr, msg_controllen)); P("flags", offsetof(struct msghdr, msg_flags));
  P("level", offsetof(struct cmsghdr, cmsg_level)); P("type", offsetof(struct cmsghdr, cmsg_type));
  P("data", CMSG_LEN(0)); P("space1", CMSG_SPACE(4)); P("space253", CMSG_SPACE(4 * 253));
  P("AF_INET6", AF_INET6); P("SOL_SOCKET", SOL_SOCKET); P("SO_TYPE", SO_TYPE);
  P("SO_ACCEPTCONN", SO_ACCEPTCONN); P("SO_PROTOCOL", SO_PROTOCOL); P("SO_COOKIE", SO_COOKIE);
  P("SO_PEERCRED", SO_PEERCRED); P("SCM_RIGHTS", SCM_RIGHTS); P("MSG_DONTWAIT", MSG_DONTWAIT);
  P("MSG_CTRUNC", MSG_CTRUNC); P("MSG_NOSIGNAL", MSG_NOSIGNAL);
  P("MSG_CMSG_CLOEXEC", MSG_CMSG_CLOEXEC); P("F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC);
  P("O_NONBLOCK", O_NONBLOCK); P("EAGAIN", EAGAIN);
}`;

testWith({
  name: "the layouts of Linux are those of the C compiler",
  needs: ["linux", "gcc"],
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/a.c`, FIELDS);
    const compiled = await new Deno.Command("gcc", {
      args: ["-o", `${folder}/a`, `${folder}/a.c`],
    }).output();
    assertEquals(new TextDecoder().decode(compiled.stderr), "");
    const { stdout } = await new Deno.Command(`${folder}/a`).output();
    const said = Object.fromEntries(
      new TextDecoder().decode(stdout).trim().split("\n")
        .map((line) => line.split(" "))
        .map(([name, value]) => [name, Number(value)]),
    );
    const { msghdr, cmsghdr } = LINUX;
    const ours: Record<string, unknown> = { ...LINUX, ...msghdr, ...cmsghdr };
    for (const [name, value] of Object.entries(said)) {
      if (name === "space1") assertEquals(controlSpace(LINUX, 1), value);
      else if (name === "space253") {
        assertEquals(controlSpace(LINUX, 253), value);
      } else assertEquals(ours[name], value, name);
    }
  },
});

for (const layout of [LINUX, DARWIN]) {
  Deno.test(`property: descriptors written for ${layout.os} are read back`, () => {
    fc.assert(fc.property(
      fc.array(fc.nat(100_000), { minLength: 1, maxLength: 253 }),
      (fds) => {
        const view = new DataView(new ArrayBuffer(controlSpace(layout, 253)));
        const length = writeRights(layout, view, fds);
        assertEquals(length, controlSpace(layout, fds.length));
        assertEquals(readRights(layout, view, length), fds);
      },
    ));
  });

  Deno.test(`property: any control bytes of ${layout.os} are read without a fault`, () => {
    fc.assert(fc.property(
      fc.uint8Array({ maxLength: 200 }),
      (bytes) => {
        const view = new DataView(bytes.slice().buffer);
        for (const fd of readRights(layout, view, bytes.length)) {
          assertEquals(Number.isInteger(fd), true);
        }
      },
    ));
  });
}

Deno.test("a msghdr of macOS is as its header says", () => {
  // Recorded from the structure of sys/socket.h; not run on macOS.
  const view = new DataView(new ArrayBuffer(48));
  const iov = 0x1122334455667788n, control = 0x0102030405060708n;
  writeMsghdr(DARWIN, view, { iov, iovCount: 1, control, controlBytes: 16 });
  assertEquals(
    new Uint8Array(view.buffer).toHex(),
    "0000000000000000" + "0000000000000000" + "8877665544332211" +
      "0100000000000000" + "0807060504030201" + "10000000" + "00000000",
  );
  view.setInt32(44, 0x20, true);
  assertEquals(readMsghdr(DARWIN, view), { controlBytes: 16, flags: 0x20 });
  const rights = new DataView(new ArrayBuffer(controlSpace(DARWIN, 1)));
  writeRights(DARWIN, rights, [9]);
  assertEquals(
    new Uint8Array(rights.buffer).toHex(),
    "10000000" + "ffff0000" + "01000000" + "09000000",
  );
});

Deno.test("addresses of both systems are told", () => {
  const parse = (layout: typeof LINUX, hex: string, length?: number) => {
    const bytes = new Uint8Array(SOCKADDR_BYTES);
    bytes.set(Uint8Array.fromHex(hex));
    return parseSockaddr(layout, bytes, length ?? hex.length / 2, "tcp");
  };
  const tcp = { transport: "tcp" } as const;
  const v4 = "1f907f000001" + "0000000000000000";
  assertEquals(parse(LINUX, "0200" + v4), {
    ...tcp,
    hostname: "127.0.0.1",
    port: 8080,
  });
  assertEquals(parse(DARWIN, "1002" + v4), {
    ...tcp,
    hostname: "127.0.0.1",
    port: 8080,
  });
  const v6 = (address: string) => "0050" + "00000000" + address + "00000000";
  const names: Record<string, string> = {
    "00000000000000000000000000000000": "::",
    "00000000000000000000000000000001": "::1",
    "20010db8000000000001000000000001": "2001:db8::1:0:0:1",
    "00000000000000000000ffff0a000001": "::ffff:10.0.0.1",
    "fe800001000200030004000500060007": "fe80:1:2:3:4:5:6:7",
  };
  for (const [hex, hostname] of Object.entries(names)) {
    assertEquals(parse(LINUX, "0a00" + v6(hex)), {
      ...tcp,
      hostname,
      port: 80,
    });
    assertEquals(parse(DARWIN, "1c1e" + v6(hex)), {
      ...tcp,
      hostname,
      port: 80,
    });
  }
  const path = unixSockaddr(LINUX, "/run/x").toHex();
  assertEquals(path, "0100" + "2f72756e2f78" + "00");
  assertEquals(parse(LINUX, path), { transport: "unix", path: "/run/x" });
  assertEquals(parse(LINUX, "0100"), { transport: "unix", path: "" });
  const mac = unixSockaddr(DARWIN, "/run/x").toHex();
  assertEquals(mac, "0901" + "2f72756e2f78" + "00");
  assertEquals(parse(DARWIN, mac), { transport: "unix", path: "/run/x" });
  assertThrows(() => unixSockaddr(LINUX, "x".repeat(108)), RangeError, "107");
  assertThrows(() => unixSockaddr(LINUX, "a\0b"), RangeError, "NUL");
  assertEquals(parse(LINUX, "1000" + "00"), null);
});
