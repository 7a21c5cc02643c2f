// The same calls to doorpad and to npm `@seamapi/fake-seam-connect`: `node compare.mjs ENDPOINT API_KEY`.
// Prints a JSON object: of each call whose outcomes differ, both. All are sent by POST, as the SDKs of older days did:
// the fake does not know the verbs of today's.
import { schemas as S, openapi } from 'types-1721/connect'
import { CALLS } from './calls.mjs'
import { startFake } from './fake.mjs'
import { reader } from './schemas.mjs'

const { reply } = reader({ openapi, schemas: S })

/** What came of a call in few words: the status, then the error and its fields, or what the schemas refuse. */
function outcome(path, status, body) {
  if (typeof body !== 'object') return `${status} without an envelope`
  if (!body.ok && body.error) {
    const fields = Object.keys(body.error.validation_errors ?? {}).filter((it) => it !== '_errors')
    return [status, body.error.type, ...fields.sort()].join(' ')
  }
  const refused = reply(path, body)
    .map((it) => it.split(':')[0].replace(/\.\d+/g, ''))
    .filter((it) => !it.endsWith('_id')) // the fake's ids are words: said once, in the README
  return refused.length === 0 ? `${status}` : `${status}, refused: ${[...new Set(refused)].sort().join(', ')}`
}

async function outcomes({ endpoint, apiKey }) {
  const kept = {}
  const found = {}
  for (const [name, path, make, keep] of CALLS) {
    const request = typeof make === 'function' ? { body: make(kept) } : make
    const response = await fetch(endpoint + path, {
      method: request.method ?? 'POST',
      headers: { authorization: `Bearer ${request.key ?? apiKey}`, 'content-type': 'application/json' },
      body: request.raw ?? (request.method === 'GET' ? undefined : JSON.stringify(request.body ?? {})),
    })
    const text = await response.text()
    const body = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
    found[name] = outcome(path, response.status, body)
    if (keep && response.ok) keep(kept, body)
  }
  return found
}

const [endpoint, apiKey] = process.argv.slice(2)
const ours = await outcomes({ endpoint, apiKey })
const theirs = await outcomes(await startFake())
const differ = Object.keys(ours).filter((name) => ours[name] !== theirs[name])
console.log(
  JSON.stringify({
    calls: CALLS.length,
    differences: differ.map((name) => ({ call: name, doorpad: ours[name], fake: theirs[name] })),
  }),
)
process.exit()
