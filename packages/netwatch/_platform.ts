/** The systems that differ in how their network is read. */
export type Platform = "linux" | "windows" | "bsd" | "other";

/** The only place of this package that asks which system this is. */
export function platform(): Platform {
  switch (Deno.build.os) {
    case "linux":
    case "windows":
      return Deno.build.os;
    case "darwin":
    case "freebsd":
    case "netbsd":
      return "bsd";
    default:
      return "other";
  }
}
