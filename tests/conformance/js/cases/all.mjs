// In the order in which they run: the last leave nothing behind.
import * as codes from './codes.mjs'
import * as unmanaged from './unmanaged.mjs'
import * as devices from './devices.mjs'
import * as locks from './locks.mjs'
import * as events from './events.mjs'
import * as hub from './hub.mjs'
import * as errors from './errors.mjs'

export default Object.entries({ codes, unmanaged, devices, locks, events, hub, errors }).flatMap(([file, functions]) =>
  Object.entries(functions).map(([name, run]) => [`${file}.${name}`, run]),
)
