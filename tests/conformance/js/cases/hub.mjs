import assert from 'node:assert/strict'
import { refusal } from '../world.mjs'

export async function hub_is_a_connected_account(world) {
  const { seam, door } = world
  const [{ connected_account_id }] = await seam.connectedAccounts.list()
  assert.equal((await seam.devices.get({ device_id: door })).connected_account_id, connected_account_id)
  await seam.connectedAccounts.update({ connected_account_id, custom_metadata: { site: 'north' } })
  const account = await seam.connectedAccounts.get({ connected_account_id })
  assert.deepEqual(account.custom_metadata, { site: 'north' })
  await seam.connectedAccounts.sync({ connected_account_id })
}

export async function installation_is_a_workspace(world) {
  const { seam } = world
  const { workspace_id } = await seam.workspaces.get()
  assert.deepEqual((await seam.workspaces.list()).map((it) => it.workspace_id), [workspace_id])
}

export async function bridge_is_read_without_a_method_of_the_sdk(world) {
  const { client } = world.seam
  const [{ bridge_id }] = (await client.get('/bridges/list')).data.bridges
  assert.equal((await client.get('/bridges/get', { params: { bridge_id } })).data.bridge.bridge_id, bridge_id)
}

export async function account_is_disconnected_and_connected_again(world) {
  const { seam, door: device_id } = world
  const [{ connected_account_id }] = await seam.connectedAccounts.list()
  await seam.connectedAccounts.simulate.disconnect({ connected_account_id })
  await world.event('connected_account.disconnected')
  const [account] = await seam.connectedAccounts.list()
  assert.deepEqual(account.errors.map((it) => it.error_code), ['account_disconnected'])
  const device = await seam.devices.get({ device_id })
  assert.ok(device.errors.some((it) => it.error_code === 'account_disconnected'))
  const before = world.mark()
  await seam.connectedAccounts.sync({ connected_account_id })
  await world.event('connected_account.connected')
  await world.event('device.connected', { device_id }, before)
}

/** The hub that answers is there, and so are the keypads of its configuration. */
export async function hub_and_its_keypads_are_not_deleted(world) {
  const { seam, door: device_id } = world
  const [{ connected_account_id }] = await seam.connectedAccounts.list()
  const kept = await refusal(seam.connectedAccounts.delete({ connected_account_id }))
  assert.deepEqual([kept.statusCode, kept.code], [409, 'connected_account_is_connected'])
  const named = await refusal(seam.client.delete('/devices/delete', { params: { device_id } }))
  assert.deepEqual([named.statusCode, named.code], [409, 'device_is_configured'])
}
