// The official SDK, with every reply checked, and a receiver of webhooks that its own verifier checks.
import { createServer } from 'node:http'
import { Seam, SeamWebhook } from 'seam'
import { reader } from './schemas.mjs'

export const EARLIEST = '2000-01-01T00:00:00Z'

export class World {
  /** Which paths have been answered with a 200, and by which verbs. */
  answered = new Map()
  /** What the schemas refused, as lines of text. */
  problems = []
  #events = []
  #waiting = []

  static async open({ endpoint, apiKey, types }) {
    const world = new World()
    world.schemas = reader(await import(`${types}/connect`))
    world.endpoint = endpoint
    world.apiKey = apiKey
    world.seam = new Seam({ apiKey, endpoint })
    world.seam.client.interceptors.response.use((response) => world.#check(response))
    const devices = await world.seam.devices.list()
    world.door = devices[0].device_id
    world.otherDoor = devices[1].device_id
    await world.#receive()
    return world
  }

  async close() {
    this.receiver.closeAllConnections()
    this.receiver.close()
  }

  #check(response) {
    const path = new URL(response.config.url, this.endpoint).pathname
    const verb = response.config.method.toUpperCase()
    if (!this.answered.has(path)) this.answered.set(path, new Set())
    this.answered.get(path).add(verb)
    this.problems.push(...this.schemas.reply(path, response.data).map((it) => `${verb} ${path}: ${it}`))
    return response
  }

  async #receive() {
    let verifier = null
    this.receiver = createServer(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString()
      response.end()
      this.#see(verifier.verify(body, request.headers))
    })
    await new Promise((listening) => this.receiver.listen(0, '127.0.0.1', listening))
    this.url = `http://127.0.0.1:${this.receiver.address().port}/`
    const webhook = await this.seam.webhooks.create({ url: this.url })
    verifier = new SeamWebhook(webhook.secret)
  }

  #see(event) {
    this.problems.push(...this.schemas.event(event).map((it) => `webhook: ${it}`))
    this.#events.push(event)
    for (const look of this.#waiting.splice(0)) look()
  }

  /** The place of the next event that the receiver gets, for `event`. */
  mark() {
    return this.#events.length
  }

  /** The first event of a type with these fields that the receiver gets or got, from the place `after` on. */
  async event(event_type, fields = {}, after = 0) {
    const wanted = Object.entries({ event_type, ...fields })
    for (;;) {
      const found = this.#events.slice(after).find((it) => wanted.every(([name, value]) => it[name] === value))
      if (found) return found
      await new Promise((look) => this.#waiting.push(look))
    }
  }

  /** A code that the keypad holds. */
  async codeOnKeypad(fields) {
    const code = await this.seam.accessCodes.create({ device_id: this.door, ...fields })
    await this.event('access_code.set_on_device', { access_code_id: code.access_code_id })
    return code
  }

  /** A code that a person made at the keypad. */
  async codeOfKeypad(code) {
    return await this.seam.accessCodes.simulate.createUnmanagedAccessCode({
      device_id: this.door,
      name: 'Of the keypad',
      code,
    })
  }
}

/** The times of a stay that began an hour ago and ends in a day. */
export function stay() {
  const now = Date.now()
  return { starts_at: new Date(now - 3_600_000).toISOString(), ends_at: new Date(now + 86_400_000).toISOString() }
}

/** The error that a call ends with. Fails if it succeeds. */
export async function refusal(call) {
  try {
    await call
  } catch (error) {
    return error
  }
  throw new Error('the call was expected to be refused, and was not')
}
