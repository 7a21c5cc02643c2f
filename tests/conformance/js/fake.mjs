// npm `@seamapi/fake-seam-connect` on a free port of the loopback.
import net from 'node:net'
import { createFake } from '@seamapi/fake-seam-connect'

/** Start it with its own seed: `{ endpoint, apiKey }`. It ends with the process. */
export async function startFake() {
  const { listen } = net.Server.prototype
  // It would listen on every address of the machine, and cannot take a port that is free.
  net.Server.prototype.listen = function (...given) {
    return listen.call(this, 0, '127.0.0.1', given.find((it) => typeof it === 'function'))
  }
  try {
    const fake = await createFake()
    const seed = await fake.seed()
    await fake.startServer({ port: 1 })
    return { endpoint: `http://127.0.0.1:${fake.server.server.address().port}`, apiKey: seed.seam_apikey1_token }
  } finally {
    net.Server.prototype.listen = listen
  }
}
