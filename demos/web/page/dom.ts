/** Small helpers that touch the document only where something changes. */

/** The element of that id, which is in the page. */
export function byId(id: string): HTMLElement {
  return document.getElementById(id)!;
}

/** Sets its text, if it is another one. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute, if it is another one. */
export function setAttribute(
  element: Element,
  name: string,
  value: string,
): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Sets `data-…`, if it is another one: what the style sheet goes by. */
export function setData(element: Element, name: string, value: string): void {
  setAttribute(element, `data-${name}`, value);
}

/** A new element with attributes and text. */
export function html(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  text = "",
): HTMLElement {
  const element = document.createElement(name);
  return dress(element, attributes, text);
}

/** The same for SVG. */
export function svg(
  name: string,
  attributes: Readonly<Record<string, string | number>> = {},
  text = "",
): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  return dress(element, attributes, text);
}

function dress<E extends Element>(
  element: E,
  attributes: Readonly<Record<string, string | number>>,
  text: string,
): E {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  if (text !== "") element.textContent = text;
  return element;
}
