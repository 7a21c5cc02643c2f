import assert from 'node:assert/strict'
import {
  Seam,
  isSeamHttpApiError,
  isSeamHttpInvalidInputError,
  isSeamHttpUnauthorizedError,
} from 'seam'
import { refusal } from '../world.mjs'

export async function wrong_field_is_named_by_the_typed_error(world) {
  const error = await refusal(world.seam.accessCodes.create({ device_id: world.door, code: '12x4' }))
  assert.ok(isSeamHttpInvalidInputError(error))
  assert.equal(error.statusCode, 400)
  assert.deepEqual(error.validationErrors.map((it) => it.parameterName), ['code'])
  assert.ok(error.getValidationErrorMessages('code').length > 0)
  assert.match(error.requestId, /^[0-9a-f-]{36}$/)
}

export async function missing_object_and_taken_code_are_typed_errors(world) {
  const { seam, door: device_id } = world
  const access_code_id = '00000000-0000-4000-8000-000000000000'
  const missing = await refusal(seam.accessCodes.get({ access_code_id }))
  assert.ok(isSeamHttpApiError(missing))
  assert.deepEqual([missing.statusCode, missing.code], [404, 'access_code_not_found'])
  const held = await world.codeOnKeypad({ code: '368120' })
  const taken = await refusal(seam.accessCodes.create({ device_id, code: '368120' }))
  assert.deepEqual([taken.statusCode, taken.code], [409, 'duplicate_access_code'])
  assert.equal(taken.data.access_code_id, held.access_code_id)
  await seam.accessCodes.delete({ access_code_id: held.access_code_id, sync: true })
}

export async function foreign_key_is_unauthorized(world) {
  const stranger = new Seam({ apiKey: `seam_doorpad_${'0'.repeat(32)}`, endpoint: world.endpoint })
  assert.ok(isSeamHttpUnauthorizedError(await refusal(stranger.devices.list())))
}

export async function path_of_another_product_is_refused_in_the_envelope(world) {
  const error = await refusal(world.seam.acs.systems.list())
  assert.ok(isSeamHttpApiError(error))
  assert.deepEqual([error.statusCode, error.code], [404, 'not_found'])
}
