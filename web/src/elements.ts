/** The element of index.html with this id; it is there, or the page is wrong. */
export function byId<E extends HTMLElement = HTMLElement>(id: string, type?: new () => E): E {
  const element = document.getElementById(id)
  if (!(element instanceof (type ?? HTMLElement))) throw new Error(`index.html has no #${id}`)
  return element as E
}

/** A new element with these properties and children. */
export function create<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = Object.assign(document.createElement(name), properties)
  element.append(...children)
  return element
}

/** Says something to those who cannot see the page. */
export function announce(text: string): void {
  byId('announcer').textContent = text
}
