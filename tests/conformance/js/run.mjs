// Runs all cases against one API: `node run.mjs ENDPOINT API_KEY TYPES`, the last a package of published schemas.
// Prints one JSON object a line: each case with what was wrong, then the paths that were answered and those of the SDK's methods.
import cases from './cases/all.mjs'
import { paths } from './methods.mjs'
import { World } from './world.mjs'

const [endpoint, apiKey, types] = process.argv.slice(2)
const world = await World.open({ endpoint, apiKey, types })
for (const [name, run] of cases) {
  const findings = []
  const told = world.problems.length
  try {
    await run(world)
  } catch (error) {
    findings.push(error.stack)
  }
  findings.push(...world.problems.slice(told))
  console.log(JSON.stringify({ case: name, findings }))
}
await world.close()
const answered = Object.fromEntries([...world.answered].map(([path, verbs]) => [path, [...verbs]]))
console.log(JSON.stringify({ answered, methods: [...paths(world.seam)] }))
