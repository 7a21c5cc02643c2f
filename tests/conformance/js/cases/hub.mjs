import assert from 'node:assert/strict'

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
