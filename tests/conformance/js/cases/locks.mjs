import assert from 'node:assert/strict'
import { refusal } from '../world.mjs'

export async function keypad_is_a_lock(world) {
  const { seam, door: device_id } = world
  assert.equal((await seam.locks.get({ device_id })).device_id, device_id)
  assert.ok((await seam.locks.list()).some((it) => it.device_id === device_id))
}

export async function code_typed_at_the_keypad_opens(world) {
  const { seam, door: device_id } = world
  const { access_code_id } = await world.codeOnKeypad({ code: '940621' })
  const attempt = await seam.locks.simulate.keypadCodeEntry({ device_id, code: '940621' })
  assert.equal(attempt.status, 'success')
  const opened = await world.event('lock.unlocked', { access_code_id })
  assert.equal(opened.method, 'keycode')
  await seam.locks.simulate.keypadCodeEntry({ device_id, code: '117733' })
  await world.event('lock.access_denied')
  await seam.accessCodes.delete({ access_code_id, sync: true })
}

/** What a device says of itself decides which calls work; the others are refused with the reason. */
export async function calls_work_as_the_device_says_it_can(world) {
  const { seam, door: device_id } = world
  const device = await seam.devices.get({ device_id })
  const calls = [
    [device.can_remotely_unlock, () => seam.locks.unlockDoor({ device_id })],
    [device.can_remotely_lock, () => seam.locks.lockDoor({ device_id })],
    [false, () => seam.locks.simulate.manualLockViaKeypad({ device_id })],
  ]
  for (const [can, call] of calls) {
    if (can) await call()
    else assert.equal((await refusal(call())).code, 'device_type_not_supported', String(call))
  }
}
