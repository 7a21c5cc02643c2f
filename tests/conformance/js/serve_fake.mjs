// The fake server as a process of its own, for benchmarks: prints where it listens, ends with its standard input.
import { startFake } from './fake.mjs'

const { endpoint, apiKey } = await startFake()
const response = await fetch(`${endpoint}/devices/list`, { headers: { authorization: `Bearer ${apiKey}` } })
const { devices } = await response.json()
console.log(JSON.stringify({ endpoint, apiKey, device_id: devices[0].device_id }))
process.stdin.on('end', () => process.exit()).resume()
