import assert from 'node:assert/strict'
import { refusal } from '../world.mjs'

export async function device_is_found_by_id_name_and_filters(world) {
  const { seam, door: device_id } = world
  const device = await seam.devices.get({ device_id })
  assert.equal((await seam.devices.get({ name: device.display_name })).device_id, device_id)
  const found = async (filters) => (await seam.devices.list(filters)).map((it) => it.device_id)
  assert.deepEqual(await found({ device_ids: [device_id] }), [device_id])
  assert.deepEqual(await found({ search: device.display_name }), [device_id])
  assert.deepEqual(await found({ manufacturer: 'yale' }), [])
  assert.ok((await found({ device_types: [device.device_type] })).includes(device_id))
}

export async function device_takes_a_name_and_metadata(world) {
  const { seam, door: device_id } = world
  await seam.devices.update({ device_id, name: 'Side door', custom_metadata: { floor: '3', old: true } })
  await seam.devices.update({ device_id, custom_metadata: { old: null } })
  const device = await seam.devices.get({ device_id })
  assert.deepEqual([device.nickname, device.custom_metadata], ['Side door', { floor: '3' }])
  const [listed] = await seam.devices.list({ custom_metadata_has: { floor: '3' } })
  assert.equal(listed.device_id, device_id)
}

export async function reported_time_zone_is_shown(world) {
  const { seam, door: device_id } = world
  await seam.devices.reportProviderMetadata({ devices: [{ device_id, ultraloq_metadata: { time_zone: 'Europe/Vienna' } }] })
  assert.equal((await seam.devices.get({ device_id })).location.timezone, 'Europe/Vienna')
}

export async function no_other_makers_are_listed(world) {
  assert.deepEqual(await world.seam.devices.listDeviceProviders(), [])
}

export async function device_is_left_alone_and_managed_again(world) {
  const { seam, otherDoor: device_id } = world
  await seam.devices.update({ device_id, is_managed: false })
  assert.equal((await refusal(seam.devices.get({ device_id }))).code, 'device_not_found')
  assert.equal((await seam.devices.unmanaged.get({ device_id })).is_managed, false)
  assert.deepEqual((await seam.devices.unmanaged.list()).map((it) => it.device_id), [device_id])
  await seam.devices.unmanaged.update({ device_id, is_managed: true })
  assert.equal((await seam.devices.get({ device_id })).is_managed, true)
}

/** Each takes the keypad away and gives it back; what stands on it meanwhile is told. */
export async function keypad_loses_its_hub_its_place_and_its_subscription(world) {
  const { seam, door: device_id } = world
  const { simulate } = seam.devices
  const stands = async (error_code) =>
    (await seam.devices.get({ device_id })).errors.some((it) => it.error_code === error_code)
  for (const [error_code, take, give] of [
    ['hub_disconnected', () => simulate.disconnectFromHub({ device_id }), () => simulate.connectToHub({ device_id })],
    ['device_removed', () => simulate.remove({ device_id }), () => simulate.connect({ device_id })],
  ]) {
    const before = world.mark()
    await take()
    await world.event('device.disconnected', { device_id }, before)
    assert.ok(await stands(error_code))
    await give()
    await world.event('device.connected', { device_id }, before)
    assert.ok(!(await stands(error_code)))
  }
  const before = world.mark()
  await simulate.paidSubscription({ device_id, is_expired: true })
  await world.event('device.error.subscription_required', { device_id }, before)
  assert.ok(await stands('subscription_required'))
  await simulate.paidSubscription({ device_id, is_expired: false })
  await world.event('device.error.subscription_required.resolved', { device_id }, before)
  assert.ok(!(await stands('subscription_required')))
}

export async function cable_is_pulled_and_plugged_in(world) {
  const { seam, door: device_id } = world
  const before = world.mark()
  await seam.devices.simulate.disconnect({ device_id })
  await world.event('device.disconnected', { device_id }, before)
  const away = await seam.devices.get({ device_id })
  assert.equal(away.properties.online, false)
  assert.ok(away.errors.some((it) => it.error_code === 'device_disconnected'))
  await seam.devices.simulate.connect({ device_id })
  await world.event('device.connected', { device_id }, before)
  assert.equal((await seam.devices.get({ device_id })).properties.online, true)
}
