import assert from 'node:assert/strict'
import { stay } from '../world.mjs'

export async function ongoing_code_is_made_changed_and_removed(world) {
  const { seam, door } = world
  const { access_code_id } = await world.codeOnKeypad({ name: 'Guest', code: '482913' })
  const code = await seam.accessCodes.get({ access_code_id })
  assert.equal(code.status, 'set')
  assert.equal(code.type, 'ongoing')
  assert.deepEqual([code.starts_at, code.ends_at], [null, null])
  assert.equal((await seam.accessCodes.get({ device_id: door, code: '482913' })).access_code_id, access_code_id)

  await seam.accessCodes.update({ access_code_id, name: null })
  assert.equal((await seam.accessCodes.get({ access_code_id })).name, null)
  await seam.accessCodes.update({ access_code_id, code: '913482', sync: true })
  const changed = await seam.accessCodes.get({ access_code_id })
  assert.deepEqual([changed.code, changed.status], ['913482', 'set'])

  await seam.accessCodes.delete({ access_code_id, sync: true })
  await seam.accessCodes.delete({ access_code_id })
  await world.event('access_code.deleted', { access_code_id })
  const { access_codes } = (await seam.client.get('/access_codes/list', { params: { device_id: door } })).data
  assert.ok(!access_codes.some((it) => it.access_code_id === access_code_id))
}

export async function code_becomes_time_bound_and_ongoing_again(world) {
  const { seam } = world
  const { starts_at, ends_at } = stay()
  const { access_code_id } = await world.codeOnKeypad({ code: '5820', starts_at, ends_at })
  const window = async () => {
    const { type, starts_at, ends_at } = await seam.accessCodes.get({ access_code_id })
    return [type, starts_at && Date.parse(starts_at), ends_at && Date.parse(ends_at)]
  }
  // Whole seconds, never wider than asked.
  const first_s = Math.ceil(Date.parse(starts_at) / 1_000)
  const last_s = Math.floor(Date.parse(ends_at) / 1_000)
  assert.deepEqual(await window(), ['time_bound', first_s * 1_000, last_s * 1_000])
  await seam.accessCodes.update({ access_code_id, type: 'ongoing', sync: true })
  assert.deepEqual(await window(), ['ongoing', null, null])
  await seam.accessCodes.update({ access_code_id, starts_at, ends_at, sync: true })
  assert.deepEqual(await window(), ['time_bound', first_s * 1_000, last_s * 1_000])
  await seam.accessCodes.delete({ access_code_id, sync: true })
}

export async function code_for_later_waits_on_the_keypad(world) {
  const { seam } = world
  const day_ms = 86_400_000
  const code = await seam.accessCodes.create({
    device_id: world.door,
    code: '739105',
    starts_at: new Date(Date.now() + day_ms).toISOString(),
    ends_at: new Date(Date.now() + 2 * day_ms).toISOString(),
  })
  await world.event('access_code.scheduled_on_device', { access_code_id: code.access_code_id })
  const waiting = await seam.accessCodes.get({ access_code_id: code.access_code_id })
  assert.deepEqual([waiting.status, waiting.is_scheduled_on_device], ['unset', true])
  await seam.accessCodes.delete({ access_code_id: code.access_code_id, sync: true })
}

export async function generated_code_has_the_length_asked_for(world) {
  const { seam, door } = world
  const made = await seam.accessCodes.generateCode({ device_id: door })
  assert.equal(made.device_id, door)
  assert.match(made.code, /^\d{4,12}$/)
  const code = await world.codeOnKeypad({ preferred_code_length: 7 })
  assert.match(code.code, /^\d{7}$/)
  await seam.accessCodes.delete({ access_code_id: code.access_code_id, sync: true })
}

export async function one_code_opens_several_doors(world) {
  const { seam, door, otherDoor } = world
  const asked = { device_ids: [door, otherDoor], name: 'Cleaner', ...stay() }
  const made = await seam.accessCodes.createMultiple(asked)
  const [first] = made
  assert.deepEqual(new Set(made.map((it) => it.device_id)), new Set([door, otherDoor]))
  assert.equal(new Set(made.map((it) => it.code)).size, 1)
  assert.ok(first.common_code_key)
  // Sent again, as the SDK does after a lost reply: the same codes.
  const again = await seam.accessCodes.createMultiple(asked)
  assert.deepEqual(again.map((it) => it.access_code_id), made.map((it) => it.access_code_id))

  const ends_at = new Date(Date.now() + 2 * 86_400_000).toISOString()
  await seam.accessCodes.updateMultiple({ common_code_key: first.common_code_key, ends_at })
  const access_code_ids = made.map((it) => it.access_code_id)
  for (const code of await seam.accessCodes.list({ access_code_ids })) {
    assert.equal(Date.parse(code.ends_at), Math.floor(Date.parse(ends_at) / 1_000) * 1_000)
  }
  for (const access_code_id of access_code_ids) await seam.accessCodes.delete({ access_code_id, sync: true })
}

export async function pages_give_each_code_once(world) {
  const { seam, otherDoor: device_id } = world
  const made = []
  for (let number = 0; number < 12; number++) {
    made.push(await seam.accessCodes.create({ device_id, name: `Page ${number}`, code: String(860_113 + number) }))
  }
  const pages = seam.createPaginator(seam.accessCodes.list({ device_id, search: 'Page', limit: 5 }))
  const [first, { hasNextPage, nextPageCursor, nextPageUrl }] = await pages.firstPage()
  assert.equal(first.length, 5)
  assert.ok(hasNextPage && nextPageUrl.startsWith(`${world.endpoint}/access_codes/list?`))
  const [second] = await pages.nextPage(nextPageCursor)
  const byUrl = (await seam.client.get(nextPageUrl)).data.access_codes
  assert.deepEqual(byUrl.map((it) => it.access_code_id), second.map((it) => it.access_code_id))
  const all = await pages.flattenToArray()
  assert.deepEqual(all.map((it) => it.name), made.map((it) => it.name))
  for (const { access_code_id } of made) await seam.accessCodes.delete({ access_code_id, sync: true })
}

export async function reported_constraints_narrow_what_is_generated(world) {
  const { seam, otherDoor: device_id } = world
  await seam.accessCodes.reportDeviceConstraints({ device_id, supported_code_lengths: [6, 8] })
  assert.deepEqual((await seam.devices.get({ device_id })).properties.supported_code_lengths, [6, 8])
  assert.match((await seam.accessCodes.generateCode({ device_id })).code, /^\d{6}$/)
  await seam.accessCodes.reportDeviceConstraints({ device_id, min_code_length: 4, max_code_length: 20 })
}

export async function backup_is_pulled_for_a_code(world) {
  const { seam, door: device_id } = world
  assert.ok((await seam.devices.get({ device_id })).properties.supports_backup_access_code_pool)
  const { access_code_id } = await world.codeOnKeypad({ ...stay(), use_backup_access_code_pool: true })
  while (!(await seam.accessCodes.get({ access_code_id })).is_backup_access_code_available);
  const backup = await seam.accessCodes.pullBackupAccessCode({ access_code_id })
  const pulled = { access_code_id, backup_access_code_id: backup.access_code_id }
  await world.event('access_code.backup_access_code_pulled', pulled)
  const code = await seam.accessCodes.get({ access_code_id })
  assert.equal(code.pulled_backup_access_code_id, backup.access_code_id)
  assert.deepEqual([backup.is_backup, backup.ends_at], [true, code.ends_at])
  await seam.accessCodes.delete({ access_code_id, sync: true })
  await world.event('access_code.deleted', { access_code_id: backup.access_code_id })
}
