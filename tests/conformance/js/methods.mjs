// The paths that the SDK's methods are named for, found by looking at the SDK itself.

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

function* properties(of) {
  for (let at = Object.getPrototypeOf(of); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    yield* Object.entries(Object.getOwnPropertyDescriptors(at))
  }
}

/** What the SDK has at its root is no call, and each group has it as well. */
export function* paths(seam, group = seam, at = '') {
  const helpers = new Set([...properties(seam)].filter(([, it]) => it.value).map(([name]) => name))
  for (const [name, { get }] of properties(group)) {
    const path = `${at}/${snake(name)}`
    if (get) yield* paths(seam, group[name], path)
    else if (!helpers.has(name)) yield path
  }
}
