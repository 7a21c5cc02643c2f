// Calls that both servers are asked for, one after the other: `[name, path, parameters or request, keep]`.
// `keep` remembers what a later call names.
const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const HOUR_MS = 3_600_000
const at = (hours) => new Date(Date.now() + hours * HOUR_MS).toISOString()
const keepCode = (kept, { access_code }) => (kept.code = access_code.access_code_id)
const code = (kept) => ({ access_code_id: kept.code })
const device = (kept) => ({ device_id: kept.device })

export const CALLS = [
  ['devices/list', '/devices/list', () => ({}), (kept, { devices }) => {
    kept.device = devices[0].device_id
    kept.other = devices[1].device_id
    kept.name = devices[0].properties.name
  }],
  ['devices/get', '/devices/get', device],
  ['devices/get by name', '/devices/get', (kept) => ({ name: kept.name })],
  ['devices/get of an unknown one', '/devices/get', () => ({ device_id: UNKNOWN })],
  ['devices/get of nothing', '/devices/get', () => ({})],
  ['devices/update', '/devices/update', (kept) => ({ ...device(kept), name: 'Side door' })],
  ['devices/list_device_providers', '/devices/list_device_providers', () => ({})],
  ['devices/unmanaged/list', '/devices/unmanaged/list', () => ({})],
  ['locks/list', '/locks/list', () => ({})],
  ['locks/get', '/locks/get', device],

  ['access_codes/create', '/access_codes/create', (kept) => ({ ...device(kept), name: 'A', code: '482913' }), keepCode],
  ['access_codes/create, time bound', '/access_codes/create',
    (kept) => ({ ...device(kept), name: 'B', code: '591024', starts_at: at(1), ends_at: at(2) })],
  ['access_codes/create without a code', '/access_codes/create', (kept) => ({ ...device(kept), name: 'C' })],
  ['access_codes/create of a taken code', '/access_codes/create', (kept) => ({ ...device(kept), code: '482913' })],
  ['access_codes/create of letters', '/access_codes/create', (kept) => ({ ...device(kept), code: 'abcd' })],
  ['access_codes/create of one digit', '/access_codes/create', (kept) => ({ ...device(kept), code: '7' })],
  ['access_codes/create with a start alone', '/access_codes/create',
    (kept) => ({ ...device(kept), code: '603571', starts_at: at(1) })],
  ['access_codes/create with an end before its start', '/access_codes/create',
    (kept) => ({ ...device(kept), code: '714682', starts_at: at(2), ends_at: at(1) })],
  ['access_codes/create that is over', '/access_codes/create',
    (kept) => ({ ...device(kept), code: '825793', starts_at: at(-2), ends_at: at(-1) })],
  ['access_codes/create at an unknown device', '/access_codes/create', () => ({ device_id: UNKNOWN, code: '936804' })],
  ['access_codes/create at no device', '/access_codes/create', () => ({ code: '936804' })],
  ['access_codes/create of a number', '/access_codes/create', (kept) => ({ ...device(kept), code: 936804 })],
  ['access_codes/get', '/access_codes/get', code],
  ['access_codes/get by code', '/access_codes/get', (kept) => ({ ...device(kept), code: '482913' })],
  ['access_codes/get of an unknown one', '/access_codes/get', () => ({ access_code_id: UNKNOWN })],
  ['access_codes/get of nothing', '/access_codes/get', () => ({})],
  ['access_codes/list', '/access_codes/list', device],
  ['access_codes/list by ids', '/access_codes/list', (kept) => ({ access_code_ids: [kept.code] })],
  ['access_codes/list of nothing', '/access_codes/list', () => ({})],
  ['access_codes/list at an unknown device', '/access_codes/list', () => ({ device_id: UNKNOWN })],
  ['access_codes/generate_code', '/access_codes/generate_code', device],
  ['access_codes/update of the name', '/access_codes/update', (kept) => ({ ...code(kept), name: 'D' })],
  ['access_codes/update of the code', '/access_codes/update', (kept) => ({ ...code(kept), code: '147036' })],
  ['access_codes/update to a taken code', '/access_codes/update', (kept) => ({ ...code(kept), code: '591024' })],
  ['access_codes/update of an unknown one', '/access_codes/update', () => ({ access_code_id: UNKNOWN, name: 'E' })],
  ['access_codes/create_multiple', '/access_codes/create_multiple',
    (kept) => ({ device_ids: [kept.device, kept.other], name: 'F' }),
    (kept, { access_codes }) => (kept.key = access_codes[0].common_code_key)],
  ['access_codes/create_multiple at no device', '/access_codes/create_multiple', () => ({ device_ids: [] })],
  ['access_codes/update_multiple', '/access_codes/update_multiple', (kept) => ({ common_code_key: kept.key, name: 'G' })],
  ['access_codes/pull_backup_access_code', '/access_codes/pull_backup_access_code', code],
  ['access_codes/report_device_constraints', '/access_codes/report_device_constraints',
    (kept) => ({ ...device(kept), min_code_length: 4 })],
  ['access_codes/delete', '/access_codes/delete', code],
  ['access_codes/delete again', '/access_codes/delete', code],
  ['access_codes/delete of an unknown one', '/access_codes/delete', () => ({ access_code_id: UNKNOWN })],

  ['simulate/create_unmanaged_access_code', '/access_codes/simulate/create_unmanaged_access_code',
    (kept) => ({ ...device(kept), name: 'H', code: '25814' }), keepCode],
  ['unmanaged/list', '/access_codes/unmanaged/list', device],
  ['unmanaged/get', '/access_codes/unmanaged/get', code],
  ['access_codes/get of an unmanaged one', '/access_codes/get', code],
  ['unmanaged/update to unmanaged', '/access_codes/unmanaged/update', (kept) => ({ ...code(kept), is_managed: false })],
  ['unmanaged/update of an unknown one', '/access_codes/unmanaged/update',
    () => ({ access_code_id: UNKNOWN, is_managed: true })],
  ['unmanaged/update', '/access_codes/unmanaged/update', (kept) => ({ ...code(kept), is_managed: true })],
  ['unmanaged/convert_to_managed', '/access_codes/unmanaged/convert_to_managed', code],
  ['unmanaged/delete of an unknown one', '/access_codes/unmanaged/delete', () => ({ access_code_id: UNKNOWN })],
  ['simulate/keypad_code_entry', '/locks/simulate/keypad_code_entry', (kept) => ({ ...device(kept), code: '1793' })],

  ['events/list', '/events/list', () => ({ since: '2000-01-01T00:00:00Z' }), (kept, { events }) => {
    kept.event = events[0]?.event_id
  }],
  ['events/list since never', '/events/list', () => ({})],
  ['events/get', '/events/get', (kept) => ({ event_id: kept.event })],
  ['action_attempts/list', '/action_attempts/list', () => ({})],
  ['action_attempts/get of an unknown one', '/action_attempts/get', () => ({ action_attempt_id: UNKNOWN })],
  ['webhooks/create', '/webhooks/create', () => ({ url: 'http://127.0.0.1:9/' }), (kept, { webhook }) => {
    kept.webhook = webhook.webhook_id
  }],
  ['webhooks/create of unknown events', '/webhooks/create',
    () => ({ url: 'http://127.0.0.1:9/', event_types: ['door.ajar'] })],
  ['webhooks/get', '/webhooks/get', (kept) => ({ webhook_id: kept.webhook })],
  ['webhooks/list', '/webhooks/list', () => ({})],
  ['webhooks/update', '/webhooks/update', (kept) => ({ webhook_id: kept.webhook, event_types: ['lock.unlocked'] })],
  ['webhooks/delete', '/webhooks/delete', (kept) => ({ webhook_id: kept.webhook })],
  ['webhooks/delete again', '/webhooks/delete', (kept) => ({ webhook_id: kept.webhook })],
  ['connected_accounts/list', '/connected_accounts/list', () => ({}), (kept, { connected_accounts }) => {
    kept.account = connected_accounts[0].connected_account_id
  }],
  ['connected_accounts/get', '/connected_accounts/get', (kept) => ({ connected_account_id: kept.account })],
  ['connected_accounts/sync', '/connected_accounts/sync', (kept) => ({ connected_account_id: kept.account })],
  ['workspaces/get', '/workspaces/get', () => ({})],
  ['workspaces/list', '/workspaces/list', () => ({})],
  ['bridges/list', '/bridges/list', () => ({})],

  ['a wrong key', '/devices/list', { key: 'seam_doorpad_wrong' }],
  ['an unknown path', '/doors/list', {}],
  ['a wrong verb', '/access_codes/create', { method: 'GET' }],
  ['a body that is not JSON', '/access_codes/create', { raw: '{' }],
]
