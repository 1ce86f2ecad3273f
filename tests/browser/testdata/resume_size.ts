/** What a page needs of the package, and nothing else. */
export { connectResumable } from "@holdfast/resume";
export { dialWebSocket } from "@holdfast/resume/websocket";
