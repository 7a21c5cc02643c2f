import assert from 'node:assert/strict'
import { refusal } from '../world.mjs'

export async function code_of_the_keypad_is_found_and_taken_over(world) {
  const { seam, door: device_id } = world
  const { access_code_id } = await world.codeOfKeypad('61357')
  assert.equal((await world.event('access_code.unmanaged.created', { access_code_id })).device_id, device_id)
  const found = await seam.accessCodes.unmanaged.get({ access_code_id })
  assert.deepEqual([found.code, found.status, found.is_managed], ['61357', 'set', false])
  assert.ok((await seam.accessCodes.unmanaged.list({ device_id })).some((it) => it.access_code_id === access_code_id))
  assert.equal((await refusal(seam.accessCodes.get({ access_code_id }))).code, 'access_code_not_found')

  await seam.accessCodes.unmanaged.convertToManaged({ access_code_id, sync: true })
  await world.event('access_code.unmanaged.converted_to_managed', { access_code_id })
  const managed = await seam.accessCodes.get({ access_code_id })
  assert.deepEqual([managed.code, managed.status, managed.is_managed], ['61357', 'set', true])
  await seam.accessCodes.delete({ access_code_id, sync: true })
}

export async function code_of_the_keypad_is_taken_over_by_an_update(world) {
  const { seam } = world
  const { access_code_id } = await world.codeOfKeypad('72468')
  await seam.accessCodes.unmanaged.update({
    access_code_id,
    is_managed: true,
    is_external_modification_allowed: true,
    sync: true,
  })
  await world.event('access_code.unmanaged.converted_to_managed', { access_code_id })
  assert.equal((await seam.accessCodes.get({ access_code_id })).is_external_modification_allowed, true)
  await seam.accessCodes.delete({ access_code_id, sync: true })
}

export async function code_of_the_keypad_is_removed(world) {
  const { seam, door: device_id } = world
  const { access_code_id } = await world.codeOfKeypad('83579')
  await seam.accessCodes.unmanaged.delete({ access_code_id, sync: true })
  await world.event('access_code.unmanaged.removed', { access_code_id })
  assert.ok(!(await seam.accessCodes.unmanaged.list({ device_id })).some((it) => it.access_code_id === access_code_id))
}
