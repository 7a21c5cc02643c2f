import assert from 'node:assert/strict'
import { EARLIEST } from '../world.mjs'

export async function log_tells_the_life_of_a_code(world) {
  const { seam } = world
  const { access_code_id } = await world.codeOnKeypad({ code: '275904' })
  await seam.accessCodes.delete({ access_code_id, sync: true })
  await world.event('access_code.deleted', { access_code_id })
  const events = await seam.events.list({ access_code_id, since: EARLIEST })
  assert.deepEqual(
    events.map((it) => it.event_type),
    ['created', 'set_on_device', 'removed_from_device', 'deleted'].map((it) => `access_code.${it}`),
  )
  const [first] = events
  assert.deepEqual(await seam.events.get({ event_id: first.event_id }), first)
}

export async function whole_log_is_read_with_its_filters(world) {
  const { seam, door: device_id } = world
  const all = await seam.events.list({ since: EARLIEST })
  const between = [EARLIEST, new Date(Date.now() + 60_000).toISOString()]
  const some = await seam.events.list({ between, device_id, event_types: ['access_code.created', 'lock.unlocked'] })
  const wanted = (it) => it.device_id === device_id && ['access_code.created', 'lock.unlocked'].includes(it.event_type)
  assert.deepEqual(some, all.filter(wanted))
  assert.ok(some.length > 1)
}

export async function webhook_is_made_changed_and_removed(world) {
  const { seam } = world
  const { webhook_id } = await seam.webhooks.create({ url: world.url, event_types: ['lock.unlocked'] })
  await seam.webhooks.update({ webhook_id, event_types: ['lock.access_denied'] })
  assert.deepEqual((await seam.webhooks.get({ webhook_id })).event_types, ['lock.access_denied'])
  assert.ok((await seam.webhooks.list()).some((it) => it.webhook_id === webhook_id))
  await seam.webhooks.delete({ webhook_id })
  assert.ok(!(await seam.webhooks.list()).some((it) => it.webhook_id === webhook_id))
}

export async function action_attempts_are_kept(world) {
  const { seam, door: device_id } = world
  const attempts = await seam.actionAttempts.list({ device_id })
  assert.ok(attempts.length > 1)
  for (const { action_attempt_id, status } of attempts) {
    assert.equal(status, 'success') // all that was asked for so far came about
    assert.equal((await seam.actionAttempts.get({ action_attempt_id })).status, status)
  }
}
